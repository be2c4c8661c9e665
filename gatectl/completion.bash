# Completion for gatectl(8) in bash. Commands and options are what `gatectl help` says; names of limits, lists, maps and
# rules are those in the configuration file.
# shellcheck shell=bash

_gatectl() {
    local word=${COMP_WORDS[COMP_CWORD]} gatectl=${COMP_WORDS[0]} config=/etc/gatehouse/policyd.conf
    local said=" " i candidates

    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        -c | --config) config=${COMP_WORDS[++i]} ;;
        -s | --socket | -u | --until | -N | --note | -n | --count | -F | --find | -r | --recipient | -S | --sender | -o | --older | -a | --after | -t | --to | -D | --daemon) ((i++)) ;;
        -*) ;;
        *) said+="${COMP_WORDS[i]} " ;;
        esac
    done
    case ${COMP_WORDS[COMP_CWORD - 1]} in
    -D | --daemon)
        mapfile -t COMPREPLY < <(compgen -W "policyd contentd signd" -- "$word")
        return
        ;;
    esac
    if [[ $word == -* ]]; then
        candidates=$("$gatectl" help 2>/dev/null | grep -oE -- '^ .*--[a-z]+' | grep -oE -- '--[a-z]+')
    else
        # Lines of the synopsis that go on after what is said already: their next word, if it is to be typed as it is.
        candidates=$("$gatectl" help 2>/dev/null | sed -n '/^Options:/q; s/^  / /p' |
            awk -v said="$said" 'index($0 " ", said) == 1 { split(substr($0, length(said) + 1), w, " "); print w[1] }' |
            grep -xE '[a-z]+')
        case $said in
        " limit "[gsur]*" " | " list "[sar]*" " | " map "[sr]*" " | " rule "[su]*" ")
            i=${said# }
            candidates+=" "$(sed -nE "s/^\\[${i%% *} +([^] ]+) *\\].*/\\1/p" "$config" 2>/dev/null)
            ;;
        " top ") candidates+=" "$(sed -nE 's/^\[limit +([^] ]+) *\].*/\1/p' "$config" 2>/dev/null) ;;
        " check ") candidates=$(compgen -f -- "$word") ;;
        esac
    fi
    mapfile -t COMPREPLY < <(compgen -W "$candidates" -- "$word" | sort -u)
}
complete -F _gatectl gatectl
