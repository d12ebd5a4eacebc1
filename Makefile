# SPDX-License-Identifier: BSD-2-Clause
# Thin: all logic is in build.sh, which says more (./build.sh help).  For any make(1).

all: build

setup build test lint bench demo install clean:
	@./build.sh $@

kmod-netbsd:
	@./build.sh kmod -t netbsd

kmod-freebsd:
	@./build.sh kmod -t freebsd

userland-netbsd:
	@./build.sh userland -t netbsd

userland-freebsd:
	@./build.sh userland -t freebsd

.PHONY: all setup build test lint bench demo install clean \
	kmod-netbsd kmod-freebsd userland-netbsd userland-freebsd
