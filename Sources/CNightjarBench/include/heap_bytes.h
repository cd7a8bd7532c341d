#ifndef HEAP_BYTES_H
#define HEAP_BYTES_H

#include <stddef.h>

// How many bytes are allocated on the heap; 0 where the system does not tell.
size_t heap_bytes(void);

#endif
