/* policyd/main.c - gatehouse-policyd: what it does differently from the other daemons. */
#include "common/run/daemon.h"
#include "policyd/server_run.h"

int main(int argc, char **argv)
{
    return daemon_main(&policyd_spec, argc, argv);
}
