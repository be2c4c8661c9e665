/* contentd/scanners/wire.h - how far a parser of a scanner's bytes has come. */
#ifndef GATEHOUSE_CONTENTD_WIRE_H
#define GATEHOUSE_CONTENTD_WIRE_H

enum wire_state {
    WIRE_MORE, /* well-formed so far, not whole */
    WIRE_DONE,
    WIRE_BAD
};

#endif
