#include <cuda_runtime_api.h>
#include <string.h>

#include "fovea/kernels/kernels.h"

int fv_device_count(void) {
    int count = 0;
    if (cudaGetDeviceCount(&count) != cudaSuccess) {
        cudaGetLastError();  // clears the error: a machine without a driver is no failure
        return 0;
    }
    return count;
}

fv_status fv_get_device_info(int index, fv_device_info* info) {
    if (!info) return FV_NULL_POINTER;
    if (index < 0 || index >= fv_device_count()) return FV_NO_DEVICE;
    cudaDeviceProp properties;
    if (cudaGetDeviceProperties(&properties, index) != cudaSuccess) return FV_DEVICE_ERROR;
    int previous = 0;
    size_t free_bytes = 0, total_bytes = 0;
    if (cudaGetDevice(&previous) != cudaSuccess || cudaSetDevice(index) != cudaSuccess)
        return FV_DEVICE_ERROR;
    const cudaError_t asked = cudaMemGetInfo(&free_bytes, &total_bytes);
    cudaSetDevice(previous);
    if (asked != cudaSuccess) return FV_DEVICE_ERROR;
    strncpy(info->name, properties.name, sizeof info->name - 1);
    info->name[sizeof info->name - 1] = '\0';
    info->total_bytes = (int64_t)total_bytes;
    info->free_bytes = (int64_t)free_bytes;
    info->major = properties.major;
    info->minor = properties.minor;
    return FV_OK;
}
