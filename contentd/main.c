/* contentd/main.c - gatehouse-contentd: what it does differently from the other daemons. */
#include "contentd/server.h"

int main(int argc, char **argv)
{
    return daemon_main(&contentd_spec, argc, argv);
}
