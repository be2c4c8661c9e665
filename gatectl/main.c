/* gatectl/main.c - the operator's command. */
#include <locale.h>

#include "gatectl/gatectl.h"

int main(int argc, char **argv)
{
    setlocale(LC_TIME, "");
    return gatectl_main(argc, argv, &clock_system, stdout, stderr);
}
