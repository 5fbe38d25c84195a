# What makes a mistake in C harder to exploit, in every build but the fuzzers': stack protector, checked string and memory functions
# of libc, position-independent executables, relocations that are read-only from the start, a stack that cannot be executed, marked
# targets of indirect jumps. tests/ops/test_hardening.py reads them back from the binaries. The hot paths pay for it with less than
# 2 % more instructions (bench/instructions.json), because what needs an array on the stack lies apart from them.
include(CheckCCompilerFlag)
include(CheckCSourceCompiles)

# -fPIE, not -fPIC: everything is linked into executables, and symbols that nobody can replace are inlined.
target_compile_options(weir_options INTERFACE -fPIE -fstack-protector-strong)
target_link_options(weir_options INTERFACE -pie LINKER:-z,relro,-z,now LINKER:-z,noexecstack)
check_c_compiler_flag(-fcf-protection WEIR_HAVE_CF_PROTECTION) # x86 only
if(WEIR_HAVE_CF_PROTECTION)
  target_compile_options(weir_options INTERFACE -fcf-protection)
endif()

# Level 3 (sizes known only at run time) needs gcc 12 or clang 9 and a libc that knows it. Left out where it cannot work: libc's
# checks need optimisation, which a debug build has not, and the sanitizers watch memcpy, not __memcpy_chk: they would see less.
set(CMAKE_REQUIRED_FLAGS "-O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3")
check_c_source_compiles("#include <string.h>\n#if __USE_FORTIFY_LEVEL < 3\n#error level 3 is not there\n#endif\nint main(void) { return 0; }"
  WEIR_HAVE_FORTIFY_3)
unset(CMAKE_REQUIRED_FLAGS)
set(WEIR_FORTIFY 2)
if(WEIR_HAVE_FORTIFY_3)
  set(WEIR_FORTIFY 3)
endif()
if(NOT WEIR_SANITIZE)
  target_compile_options(weir_options INTERFACE $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=${WEIR_FORTIFY}>)
endif()
