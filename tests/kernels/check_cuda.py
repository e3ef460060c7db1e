"""Compiles every CUDA file of the kernels for its architectures, warnings as errors, and fails on register spills.

Usage: check_cuda.py SOURCE_FOLDER FLAG...   (the flags of the CUDA build, which CMake knows)
The compiler is $FOVEA_NVCC, the nvcc on the path, or that of the wheel in this Python. Without one: exit 77 (skipped).
"""

import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile

SKIPPED = 77


def compiler():
    wheel = pathlib.Path(sysconfig.get_paths()["purelib"]) / "nvidia" / "cu13" / "bin" / "nvcc"
    for candidate in (os.environ.get("FOVEA_NVCC"), shutil.which("nvcc"), str(wheel)):
        if candidate and pathlib.Path(candidate).exists():
            return candidate
    return None


def architectures(file):
    """Warp-group instructions are sm_90a's own; everything else runs from sm_80 on."""
    return ["90a"] if "wgmma" in file.name else ["80", "90"]


def compile_for(nvcc, root, file, architecture, folder):
    output = pathlib.Path(folder) / f"{file.stem}.{architecture}.o"
    command = [nvcc, *sys.argv[2:], f"-gencode=arch=compute_{architecture},code=sm_{architecture}", "-Xptxas", "-v",
               f"-I{root / 'kernels'}", f"-I{root / 'kernels' / 'include'}", "-c", str(file), "-o", str(output)]
    done = subprocess.run(command, capture_output=True, text=True)
    report = done.stdout + done.stderr
    spills = [int(n) for pair in re.findall(r"(\d+) bytes spill stores, (\d+) bytes spill loads", report) for n in pair]
    registers = [int(n) for n in re.findall(r"Used (\d+) registers", report)]
    problems = []
    if done.returncode:
        problems.append(report.strip()[-4000:])
    elif not registers and has_kernels(file):
        problems.append("ptxas reported no kernel")
    if any(spills):
        problems.append(f"{max(spills)} bytes of registers spilled")
    return file.name, architecture, len(registers), max(registers, default=0), problems


def has_kernels(file):
    """Kernels stand in the file itself or in the .cuh files that it includes."""
    text = file.read_text()
    return "__global__" in text or ".cuh" in text


def main():
    root = pathlib.Path(sys.argv[1])
    nvcc = compiler()
    if not nvcc:
        print("no nvcc: 0 passed, 0 failed, skipped")
        return SKIPPED
    jobs = [(file, a) for file in sorted((root / "kernels" / "cuda").glob("*.cu")) for a in architectures(file)]
    failed = 0
    with tempfile.TemporaryDirectory() as folder, \
            concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, architecture, kernels, registers, problems in pool.map(
                lambda job: compile_for(nvcc, root, *job, folder), jobs):
            print(f"{name:26} sm_{architecture:4} {kernels:4} kernels, at most {registers:3} registers"
                  + ("".join("\n  " + problem for problem in problems)), flush=True)
            failed += bool(problems)
    print(f"{len(jobs) - failed} passed, {failed} failed")
    return 1 if failed or not jobs else 0


sys.exit(main())
