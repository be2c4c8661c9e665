/* common/base/wire.h - how far a parser of bytes from the network has come. */
#ifndef GATEHOUSE_BASE_WIRE_H
#define GATEHOUSE_BASE_WIRE_H

enum wire_state {
    WIRE_MORE, /* well-formed so far, not whole */
    WIRE_DONE,
    WIRE_BAD
};

#endif
