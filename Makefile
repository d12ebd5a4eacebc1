# SPDX-License-Identifier: BSD-2-Clause
# Thin: all logic is in build.sh, which says more (./build.sh help).

all: build

setup build test lint bench demo install clean:
	@./build.sh $@

kmod-netbsd kmod-freebsd userland-netbsd userland-freebsd:
	@./build.sh $(firstword $(subst -, ,$@)) -t $(lastword $(subst -, ,$@))

.PHONY: all setup build test lint bench demo install clean \
	kmod-netbsd kmod-freebsd userland-netbsd userland-freebsd
