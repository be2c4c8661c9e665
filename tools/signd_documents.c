/* tools/signd_documents.c - see documents.h. */
#include "tools/documents.h"

#include "signd/manual.h"

int main(int argc, char **argv)
{
    return documents_main(&signd_program, argc, argv);
}
