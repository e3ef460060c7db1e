#include "fovea/kernels/kernels.h"

int fv_device_count(void) { return 0; }

fv_status fv_get_device_info(int, fv_device_info* info) { return info ? FV_NO_DEVICE : FV_NULL_POINTER; }
