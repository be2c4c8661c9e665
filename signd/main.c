/* signd/main.c - gatehouse-signd: what it does differently from the other daemons. */
#include "signd/server.h"

int main(int argc, char **argv)
{
    return daemon_main(&signd_spec, argc, argv);
}
