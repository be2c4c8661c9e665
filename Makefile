# Gatehouse. `make` builds, `make run` tries it out, `make test` tests everything, `make install DESTDIR=` installs.
# Variants: `make VARIANT=asan` (tsan, clang, fuzz) builds the same tree into build/VARIANT.

VARIANT ?=
B := build$(if $(VARIANT),/$(VARIANT))
PREFIX ?= /usr
SYSCONFDIR ?= /etc

CC := $(if $(filter clang fuzz,$(VARIANT)),clang,gcc)
PKGS := libevent libevent_pthreads hiredis libmaxminddb libpcre2-8 libidn2 jansson libcrypto libsystemd libcurl libunbound libpsl opendkim
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lunistring $(shell pkg-config --libs gmime-3.0 2>/dev/null)
# For one file; its headers are not held to our warnings.
GMIME_CFLAGS := $(patsubst -I%,-isystem%,$(shell pkg-config --cflags gmime-3.0 2>/dev/null))

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wcast-qual -Wcast-align \
  -Wpointer-arith -Wwrite-strings -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wformat=2 \
  -Wundef -Wvla -Wswitch-enum -Wnull-dereference -Wdouble-promotion -Wimplicit-fallthrough
WERROR ?=
OPT := -O2 -g
HARDEN := -fstack-protector-strong -fstack-clash-protection -fcf-protection -fPIE -D_FORTIFY_SOURCE=2
LDHARDEN := -pie -Wl,-z,relro,-z,now,-z,noexecstack
# clang is there for its warnings: nothing of it is run. Sanitizers want speed of building more than of the code.
ifeq ($(VARIANT),clang)
  OPT := -O0 -g0
  HARDEN := -fPIE
endif
ifneq ($(filter asan tsan fuzz,$(VARIANT)),)
  OPT := -O1 -g
endif
ifeq ($(VARIANT),asan)
  SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
  HARDEN := -fPIE
endif
ifeq ($(VARIANT),tsan)
  SANITIZE := -fsanitize=thread -fno-omit-frame-pointer
  HARDEN := -fPIE
endif
ifeq ($(VARIANT),fuzz)
  SANITIZE := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
  HARDEN := -fPIE
endif
CFLAGS := -std=c17 -D_GNU_SOURCE $(OPT) $(HARDEN) $(SANITIZE) $(WARNINGS) $(if $(WERROR),-Werror) \
  -ffunction-sections -fdata-sections -pthread -I. -I$(B)/gen -include common/base/banned.h $(PKG_CFLAGS) \
  -MMD -MP
LDFLAGS := $(LDHARDEN) $(SANITIZE) -pthread -Wl,--gc-sections,--as-needed

sources = $(sort $(foreach dir,$(1),$(wildcard $(dir)/*.c $(dir)/*/*.c)))
objects = $(patsubst %.c,$(B)/obj/%.o,$(1))

COMMON_C := $(call sources,common)
POLICYD_C := $(call sources,policyd)
GATECTL_C := $(call sources,gatectl)
CONTENTD_C := $(call sources,contentd)
SIGND_C := $(call sources,signd)
LUA := $(wildcard common/store/*.lua)
LUA_H := $(patsubst common/store/%.lua,$(B)/gen/%.lua.h,$(LUA))
FAKES_C := $(call sources,tests/fakes)

LIB := $(B)/libgatehouse.a
LIBPOLICYD := $(B)/libpolicyd.a
LIBGATECTL := $(B)/libgatectl.a
LIBCONTENTD := $(B)/libcontentd.a
LIBSIGND := $(B)/libsignd.a
LIBFAKES := $(B)/libfakes.a
PROGRAMS := $(B)/bin/gatehouse-policyd $(B)/bin/gatehouse-contentd $(B)/bin/gatehouse-signd $(B)/bin/gatectl

UNIT_C := $(sort $(wildcard tests/unit/*/test_*.c tests/unit/*/*/test_*.c))
UNITS := $(patsubst tests/unit/%.c,$(B)/unit/%,$(UNIT_C))
BENCH_C := $(wildcard tests/bench/*.c)
MEASURE_C := $(wildcard tests/bench/measure/*.c)
LIBMEASURE := $(B)/libmeasure.a
BENCHES := $(patsubst tests/bench/%.c,$(B)/bench/%,$(BENCH_C))
TEST_PROGRAMS_C := $(wildcard tests/programs/*.c)
TEST_PROGRAMS := $(patsubst tests/programs/%.c,$(B)/tests/%,$(TEST_PROGRAMS_C))
FUZZ_C := $(wildcard tests/fuzz/fuzz_*.c)
FUZZERS := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(FUZZ_C))

all: $(PROGRAMS)

$(B)/gen/%.lua.h: common/store/%.lua
	@mkdir -p $(@D)
	sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/"/' -e 's/$$/\\n"/' $< > $@

$(B)/obj/%.o: %.c | $(LUA_H)
	@mkdir -p $(@D)
	@echo "  CC  $<"
	@$(CC) $(CFLAGS) -c $< -o $@

$(LIB): $(call objects,$(COMMON_C))
$(LIBPOLICYD): $(call objects,$(filter-out policyd/main.c,$(POLICYD_C)))
$(LIBGATECTL): $(call objects,$(filter-out gatectl/main.c,$(GATECTL_C)))
$(LIBCONTENTD): $(call objects,$(filter-out contentd/main.c,$(CONTENTD_C)))
$(LIBSIGND): $(call objects,$(filter-out signd/main.c,$(SIGND_C)))
$(LIBFAKES): $(call objects,$(FAKES_C))
$(B)/%.a:
	@mkdir -p $(@D)
	@rm -f $@
	@$(AR) rcs $@ $^

$(B)/bin/gatehouse-policyd: $(B)/obj/policyd/main.o $(LIBPOLICYD) $(LIB)
$(B)/bin/gatehouse-contentd: $(B)/obj/contentd/main.o $(LIBCONTENTD) $(LIB)
$(B)/bin/gatehouse-signd: $(B)/obj/signd/main.o $(LIBSIGND) $(LIB)
$(B)/bin/gatectl: $(B)/obj/gatectl/main.o $(LIBGATECTL) $(LIB)
$(B)/bin/%:
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)

$(B)/obj/common/mime/mime_decode.o: CFLAGS += $(GMIME_CFLAGS)

# A unit test may use the insides of the programs, never their main(). Programs have equal names in them: gatectl and signd are
# linked alone.
UNITS_SIGND := $(filter $(B)/unit/signd/%,$(UNITS))
$(UNITS_SIGND): $(LIBFAKES) $(LIBSIGND) $(LIB)
UNITS_GATECTL := $(filter $(B)/unit/gatectl/% $(B)/unit/control/%,$(UNITS))
$(UNITS_GATECTL): $(LIBFAKES) $(LIBGATECTL) $(LIB)
$(filter-out $(UNITS_GATECTL) $(UNITS_SIGND),$(UNITS)): $(LIBFAKES) $(LIBPOLICYD) $(LIBCONTENTD) $(LIB)
$(UNITS): $(B)/unit/%: $(B)/obj/tests/unit/%.o
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(PKG_LIBS) -lcmocka
$(LIBMEASURE): $(call objects,$(MEASURE_C))
$(BENCHES): $(B)/bench/%: $(B)/obj/tests/bench/%.o $(LIBMEASURE) $(LIBPOLICYD) $(LIB)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(PKG_LIBS) -lspf2 -lmilter
# What integration tests run beside the real programs.
$(TEST_PROGRAMS): $(B)/tests/%: $(B)/obj/tests/programs/%.o $(LIBFAKES) $(LIBPOLICYD) $(LIBCONTENTD) $(LIBSIGND) $(LIB)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(PKG_LIBS) -lmilter
FUZZERS_SIGND := $(B)/fuzz/fuzz_signd_conf
$(FUZZERS_SIGND): $(LIBFAKES) $(LIBSIGND) $(LIB)
$(filter-out $(FUZZERS_SIGND),$(FUZZERS)): $(LIBFAKES) $(LIBPOLICYD) $(LIBCONTENTD) $(LIBSIGND) $(LIBGATECTL) $(LIB)
$(FUZZERS): $(B)/fuzz/%: $(B)/obj/tests/fuzz/%.o
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) $(if $(filter fuzz,$(VARIANT)),-fsanitize=fuzzer) -o $@ $^ $(PKG_LIBS)

# Sample configuration and manual pages, made from the programs' own tables.
$(B)/tools/%: $(B)/obj/tools/%.o $(LIBPOLICYD) $(LIBCONTENTD) $(LIBSIGND) $(LIB)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)
DAEMONS := policyd contentd signd
build/man/gatehouse-%.8: build/tools/%_documents
	@mkdir -p $(@D)
	$< daemon-page > $@
build/man/%.conf.5: build/tools/%_documents
	@mkdir -p $(@D)
	$< conf-page > $@
build/man/gatectl.8: build/bin/gatectl
	@mkdir -p $(@D)
	$< help --man > $@
man: $(DAEMONS:%=build/man/gatehouse-%.8) $(DAEMONS:%=build/man/%.conf.5) build/man/gatectl.8
samples: $(DAEMONS:%=build/tools/%_documents)
	for daemon in $(DAEMONS); do build/tools/$${daemon}_documents sample > conf/$$daemon.conf || exit 1; done

# Everything compiled, nothing linked.
objects: $(call objects,$(COMMON_C) $(POLICYD_C) $(CONTENTD_C) $(SIGND_C) $(GATECTL_C) $(FAKES_C) $(UNIT_C) $(BENCH_C) $(MEASURE_C) $(TEST_PROGRAMS_C) $(FUZZ_C))
units: $(UNITS)
test-programs: $(TEST_PROGRAMS)
benches: $(BENCHES)
fuzzers: $(FUZZERS)

# One unit test: make unit/rules/test_eval
unit/%: $(B)/unit/%
	$<

# Tries it out on loopback: builds, starts, prints the lines for main.cf.
run:
	scripts/run

# Everything; the last line is `N passed, N failed`. Parts: scripts/test build|lint|unit|integration
test:
	scripts/test

lint:
	scripts/lint

bench: bench-policyd bench-contentd bench-signd
bench-policyd:
	tests/bench/run.sh
bench-signd:
	tests/bench/signd.sh
bench-contentd:
	tests/bench/contentd.sh

check-asan check-tsan: check-%:
	$(MAKE) VARIANT=$* WERROR=1 units
	for test in $(patsubst %,build/$*/unit/%,$(patsubst tests/unit/%.c,%,$(UNIT_C))); do $$test || exit 1; done

# Each fuzz target for FUZZ_SECONDS.
FUZZ_SECONDS ?= 60
fuzz:
	$(MAKE) VARIANT=fuzz WERROR=1 fuzzers
	scripts/fuzz $(FUZZ_SECONDS)

DESTDIR ?=
UNITDIR ?= $(PREFIX)/lib/systemd/system
install: all man
	scripts/install "$(DESTDIR)" "$(PREFIX)" "$(SYSCONFDIR)" "$(UNITDIR)"

clean:
	rm -rf build

.PHONY: all man samples objects units test-programs benches fuzzers clean run test lint bench bench-policyd bench-contentd bench-signd check-asan check-tsan fuzz install
.SECONDARY:
-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
