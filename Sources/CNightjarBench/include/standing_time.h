// A second that does not pass.
#ifndef STANDING_TIME_H
#define STANDING_TIME_H

#include <stdint.h>

// From now on `time` says this second; to be called before there is another thread. Other clocks go on.
void stop_time(int64_t at);

#endif
