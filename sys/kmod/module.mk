# SPDX-License-Identifier: BSD-2-Clause
#
# What a module's Makefile includes, on NetBSD and on FreeBSD.  build.sh makes the object, C and
# Rust, through the object gates; bsd.kmodule.mk or bsd.kmod.mk links and installs it.
#
#	make, make install, make load, make unload, make clean
#
# SYSDIR	the kernel's sources, /usr/src/sys if not given
# KMOD_CPPFLAGS	the kernel's debug options, as -DLOCKDEBUG -DDIAGNOSTIC
# KERNBUILDDIR	FreeBSD: where the kernel was built; its options are used

RW_TOP:=	${.PARSEDIR:tA:H:H}
RW_OS?=		${.MAKE.OS:tl}
RW_TARGET=	${CARGO_TARGET_DIR:U${RW_TOP}/target}
PREFIX?=	/usr/local

# The links that the system's rules make are not left among the sources.
.if ${.OBJDIR} == ${.CURDIR}
RW_OBJDIR!=	d=${RW_TARGET}/kmod/${RW_OS}/${KMOD}.make && mkdir -p $$d && echo $$d
.OBJDIR: ${RW_OBJDIR}
.endif

.if ${RW_OS} == "netbsd"
. if defined(SYSDIR)
S=		${SYSDIR}
. endif
RW_SYSDIR=	${S}
RW_KMOD=	${KMOD}.kmod
# Not /stand: NetBSD has modules of its own there, if_l2tp among them.
KMODULEDIR?=	${DESTDIR}${PREFIX}/lib/ropewalk
_INST_DIRS?=	${DESTDIR}${PREFIX} ${DESTDIR}${PREFIX}/lib
MANDIR?=	${PREFIX}/man
.elif ${RW_OS} == "freebsd"
RW_SYSDIR=	${SYSDIR}
RW_KMOD=	${KMOD}.ko
MANDIR?=	${PREFIX}/share/man/man
.else
.error ${RW_OS}: this is for NetBSD and FreeBSD; elsewhere: ./build.sh kmod -t OS
.endif

# The system's rules take the object's name from it.
SRCS=		lib.rs
.PATH:		${.CURDIR}/src
MAN?=		${KMOD}.4

RW_SOURCES!=	find ${RW_TOP}/sys ${RW_TOP}/modules/${KMOD} -type f \
		    ! -path '*/target/*' ! -path '*/tests/*' \
		    \( -name '*.rs' -o -name '*.[ch]' -o -name Cargo.toml \)

lib.o: ${RW_SOURCES}
	cd ${RW_TOP} && SYSDIR=${RW_SYSDIR} CARGO_TARGET_DIR=${RW_TARGET} \
	    sh ./build.sh kmod -t ${RW_OS} ${KMOD}
	cp ${RW_TARGET}/kmod/${RW_OS}/${RW_KMOD} ${.TARGET}

.if ${RW_OS} == "netbsd"
.include <bsd.kmodule.mk>

# A kernel with the module of that name built in, as GENERIC with if_l2tp, has to
# let go of that first: modunload(8) does it.
load: ${PROG} .PHONY
	modload ${.OBJDIR}/${PROG}

unload: .PHONY
	modunload ${KMOD}
.else
.include <bsd.kmod.mk>
.endif
