/* What the system says of a process. */
#ifndef WEIR_BASE_PROCESS_H
#define WEIR_BASE_PROCESS_H

#include <stdint.h>
#include <sys/types.h>

/* Resident memory of the process, 0 when it cannot be told. pid 0 = this one. Any thread. */
uint64_t weir_process_resident_bytes(pid_t pid);

#endif
