/* tools/contentd_documents.c - see documents.h. */
#include "tools/documents.h"

#include "contentd/manual.h"

int main(int argc, char **argv)
{
    return documents_main(&contentd_program, argc, argv);
}
