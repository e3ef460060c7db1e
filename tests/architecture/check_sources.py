"""Checks the dependency rules of the house on the sources: includes, CMake links, file sizes, catalogue tests.

Usage: check_sources.py SOURCE_DIR. Prints every violation; exits 1 when there is one.
"""

import pathlib
import re
import statistics
import sys

ROOT = pathlib.Path(sys.argv[1]).resolve()
CODE = {".h", ".cpp", ".cu", ".cuh", ".py"}
TOP_LEVEL = {
    "CMakeLists.txt", "CMakePresets.json", "README.md", "LICENSE", "CHANGELOG.md",
    "app", "core", "viz", "kernels", "resources", "tests", "packaging", "build", "out",
}
MAX_LINES = 800
MAX_MEDIAN = 150

TORCH = re.compile(r"^(ATen|torch|c10|caffe2)/")
QT = re.compile(r"^(Q[A-Z]\w*|Qt\w*/\w+)$")
WIDGETS = re.compile(r"^(QtWidgets/.*|Q(Application|MainWindow|Widget|DockWidget|Dialog|Label|Tree\w*|List\w*|Table\w*"
                     r"|Menu|ToolBar|StatusBar|LineEdit|ComboBox|SpinBox|DoubleSpinBox|CheckBox|PushButton|Slider|Undo\w*))$")
OPENCV = re.compile(r"^opencv2?/")
# What one kind of system alone has: its headers, its calls without a header of their own, its paths, questions which it is.
SYSTEM = re.compile(
    r"#\s*include\s*<(?:(?:unistd|fcntl|dlfcn|pthread|poll|semaphore|spawn|termios|dirent|sched|pwd|grp|glob|link|execinfo"
    r"|syslog|strings|netdb|ftw|windows|winsock2|io|direct|process|psapi|shlobj|conio)\.h|(?:sys|linux|mach|mach-o|arpa"
    r"|netinet)/[^>]*)>"
    r"|\b(?:un)?setenv\(|\b_?putenv(?:_s)?\(|\bextern char\s*\*\*\s*environ|\b(?:localtime|gmtime)_[rs]\(|\bp(?:open|close)\("
    r"|\bm(?:ks|kd)temp\(|\bstrerror_r\(|\bsigaction\("
    r'|"/(?:proc|sys|dev|tmp|etc|usr)\b'
    r"|\b(?:_WIN32|_WIN64|__APPLE__|__linux__|__unix__)\b")
# The only files that may: one for each thing asked of the system.
SYSTEM_FILES = {
    "app/cli/terminal.cpp", "core/common/local_time.cpp", "core/common/process_memory.cpp", "core/io/atomic_file.cpp",
    "core/io/loaded_module.cpp", "core/io/mapped_file.cpp", "core/io/mapped_file.h", "core/io/program_folder.cpp",
    "viz/codec/film_module.cpp",
}

# Folder -> what its files may include beyond the standard library and their own folder. Longest prefix wins.
RULES = {
    "kernels": {"own": ["kernels"], "torch": False, "qt": False},
    "core/include": {"own": ["core/include"], "torch": False, "qt": False},
    "core/scenes": {"own": ["core/include", "core/scenes"], "torch": False, "qt": False},
    "core": {"own": ["core", "kernels"], "torch": True, "qt": False},
    "viz/include": {"own": ["viz/include", "core/include"], "torch": False, "qt": False},
    "viz/picture": {"own": ["viz/include", "viz/picture", "core/include"], "torch": False, "qt": False},
    "viz/painters": {"own": ["viz/include", "viz/picture", "viz/painters", "core/include"],
                     "torch": False, "qt": False},
    "viz/backends": {"own": ["viz/include", "viz/picture", "viz/backends", "core/include", "core/io"],
                     "torch": False, "qt": True},
    "viz/codec": {"own": ["viz/include", "viz/codec", "core/include", "core/io"], "torch": False, "qt": False},
    "app/session": {"own": ["app/session", "core", "viz/include", "viz/picture"], "torch": False, "qt": False},
    "app/cli": {"own": ["app", "core", "viz/include", "kernels"], "torch": False, "qt": False},
    "app/gui": {"own": ["app", "core/include", "viz/include", "viz/picture"], "torch": False, "qt": True},
}
# CMake target -> libraries that it may link.
LINKS = {
    "fovea_kernels": {"fovea_options", "CUDA::cudart_static"},
    "fovea_base": {"fovea_options", "nlohmann_json::nlohmann_json", "Threads::Threads", "fmt::fmt",
                   "Oniguruma", "utf8proc"},
    "fovea_core": {"fovea_base", "fovea_kernels", "fovea_torch", "fmt::fmt"},
    "fovea_picture": {"fovea_base", "fovea_options", "fmt::fmt", "nlohmann_json::nlohmann_json"},
}

problems = []


def complain(path, line, text):
    where = path.relative_to(ROOT) if path.is_absolute() else path
    problems.append(f"{where}:{line}: {text}" if line else f"{where}: {text}")


def sources(*folders):
    for folder in folders:
        base = ROOT / folder
        for path in sorted(base.rglob("*")):
            if path.suffix in CODE and path.is_file() and "__pycache__" not in path.parts:
                yield path


def rule_for(path):
    relative = path.relative_to(ROOT).as_posix()
    best = max((folder for folder in RULES if relative.startswith(folder + "/")), key=len, default=None)
    return RULES.get(best)


def locate(include, including):
    """The file of this repository that an include names, or None for a system header."""
    relative = including.relative_to(ROOT).as_posix()
    bases = [including.parent, ROOT / "core/include", ROOT / "core", ROOT / "viz/include", ROOT / "viz", ROOT / "viz/picture",
             ROOT / "kernels/include", ROOT / "app/session", ROOT / "app", ROOT / "app/gui", ROOT / "app/cli"]
    if relative.startswith("tests/"):
        bases.append(ROOT / "tests")
    for base in bases:
        candidate = base / include
        if candidate.is_file():
            return candidate.resolve()
    return None


def check_includes():
    for path in sources("core", "viz", "kernels", "app"):
        rule = rule_for(path)
        if rule is None or path.suffix == ".py":
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            match = re.match(r'\s*#\s*include\s*[<"]([^>"]+)[>"]', line)
            if not match:
                continue
            name = match.group(1)
            if TORCH.match(name) and not rule["torch"]:
                complain(path, number, f"torch header {name}: torch stops at core's sources and internal headers")
            if re.match(r"^(torch/|ATen/ATen\.h|ATen/Functions\.h)", name):
                complain(path, number, f"{name} pulls in every operator: use ATen/core/Tensor.h and per-operator headers")
            if QT.match(name) and not rule["qt"]:
                complain(path, number, f"Qt header {name}: Qt belongs to viz/backends and app/gui")
            if WIDGETS.match(name) and not path.relative_to(ROOT).as_posix().startswith("app/gui/"):
                complain(path, number, f"widget header {name}: widgets belong to app/gui")
            if OPENCV.match(name) and path.name != "film_module.cpp":
                complain(path, number, f"OpenCV header {name}: OpenCV stops at viz/codec/film_module.cpp")
            target = locate(name, path)
            if target is not None and target.is_relative_to(ROOT):
                inside = target.relative_to(ROOT).as_posix()
                if not any(inside.startswith(folder + "/") for folder in rule["own"]):
                    complain(path, number, f"includes {inside}, which its layer may not know")


def check_system_calls():
    """What ties the program to one system stays in few small files; each of those needs its place in the list."""
    asking = set()
    for path in sources("core", "viz", "kernels", "app"):
        if path.suffix == ".py":
            continue
        name = path.relative_to(ROOT).as_posix()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            match = SYSTEM.search(line)
            if match and name in SYSTEM_FILES:
                asking.add(name)
            elif match:
                complain(path, number, f"{match.group(0)}: what one system alone has belongs to a file of SYSTEM_FILES")
    for name in sorted(SYSTEM_FILES - asking):
        problems.append(f"{name}: asks the system for nothing (any more): take it out of SYSTEM_FILES")


def check_public_headers_are_torch_free():
    for path in sources("core/include", "viz/include", "app/session"):
        text = path.read_text(encoding="utf-8")
        if re.search(r"\b(at|torch|c10)::", text):
            complain(path, 0, "names a torch type")


def check_links():
    call = re.compile(r"target_link_libraries\(\s*(\w[\w-]*)([^)]*)\)")
    for path in list(ROOT.glob("*/CMakeLists.txt")) + list(ROOT.glob("*/*/CMakeLists.txt")):
        for target, body in call.findall(path.read_text(encoding="utf-8")):
            if target not in LINKS:
                continue
            for word in body.split():
                if word in {"PUBLIC", "PRIVATE", "INTERFACE"} or word.startswith("$"):
                    continue
                if word not in LINKS[target]:
                    complain(path, 0, f"{target} links {word}, which its layer may not know")


def check_sizes():
    counts = []
    for path in sources("core", "viz", "kernels", "app", "tests"):
        lines = path.read_text(encoding="utf-8").count("\n")
        if path.suffix != ".py":
            counts.append(lines)
        if lines > MAX_LINES:
            complain(path, 0, f"{lines} lines: split it, no file has more than {MAX_LINES}")
    median = statistics.median(counts)
    if median > MAX_MEDIAN:
        problems.append(f"the median file has {median:.0f} lines, more than {MAX_MEDIAN}")
    return median, len(counts)


def check_top_level():
    for path in ROOT.iterdir():
        if not path.name.startswith(".") and path.name not in TOP_LEVEL and path.name != "compile_commands.json":
            complain(path, 0, "does not belong at the top level")


def check_catalogue_entries():
    """Entries define add_<stem> and take part in the tests that run over the whole catalogue."""
    for folder, kind in [("core/models", "ModelCatalog"), ("core/operators", "OperatorCatalog"),
                         ("core/interventions", "InterventionCatalog"), ("core/analyses", "AnalysisCatalog"),
                         ("viz/painters", "PainterCatalog")]:
        for path in sorted((ROOT / folder).glob("*.cpp")):
            text = path.read_text(encoding="utf-8")
            if not re.search(rf"void add_{path.stem}\((?:fovea::|viz::)*{kind}&", text):
                complain(path, 0, f"does not define void add_{path.stem}({kind}&)")
    tests = "\n".join(path.read_text(encoding="utf-8") for path in sources("tests"))
    for table in ["analyses", "interventions", "models"]:
        if not re.search(rf"\.{table}\.all\(\)", tests):
            problems.append(f"no test runs over every entry of the catalogue's {table}")
    if not re.search(r"makePainterCatalog\(\)", tests):
        problems.append("no test runs over every painter")
    for path in sorted((ROOT / "core/models").glob("*.cpp")):
        if path.stem not in tests:
            complain(path, 0, "no test mentions this family")


def check_words():
    banned = re.compile("|".join(["TO" + "DO", "FIX" + "ME", "not " + "implemented"]))
    for path in sources("core", "viz", "kernels", "app", "tests"):
        if path.name == pathlib.Path(__file__).name:
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if banned.search(line):
                complain(path, number, "unfinished work does not belong here")


def main():
    check_includes()
    check_system_calls()
    check_public_headers_are_torch_free()
    check_links()
    check_top_level()
    check_catalogue_entries()
    check_words()
    median, count = check_sizes()
    for problem in problems:
        print(problem)
    print(f"{count} sources, median {median:.0f} lines, {len(problems)} problems")
    return 1 if problems else 0


sys.exit(main())
