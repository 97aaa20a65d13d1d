#!/bin/sh
# Installs what `make build` has built, or removes it again. Copies only: it never builds, so root need not have a
# compiler, and never changes the build directory.
#
#   packaging/install.sh install|install-debug|uninstall
#
# install-debug installs the debug information of library and command, which install leaves out: a package of its own.
# All take the same variables from the environment, and touch the same files with the same values:
#   PREFIX      where it is to be used (default: /usr/local)
#   DESTDIR     put before every path: where the files go for now, when a package is being made (default: nothing)
#   BINDIR, LIBDIR, INCLUDEDIR, DATADIR   (default: bin, lib, include and share in PREFIX)
#   MANDIR, DOCDIR                        (default: man and doc/binlog in DATADIR)
#   PKGCONFIGDIR, CMAKEDIR                (default: pkgconfig and cmake/binlog in LIBDIR)
#   BASHCOMPDIR, ZSHCOMPDIR, FISHCOMPDIR  (default: where these shells look for completions in DATADIR)
#   DEBUGDIR    (default: debug in LIBDIR), where debuggers find the debug information by the build id
#   STRIP       the program that takes debug information out of library and command (default: strip; empty: it stays in them)
#   OBJCOPY, READELF    the programs that put it beside (default: objcopy, readelf)
#   BINLOG_BUILD_DIR    where cargo put them (default: target/release of this repository)
#   BINLOG_HOST_COMMAND a `binlog` that this machine can run, when the one that is installed is for another
#                       (default: the one in BINLOG_BUILD_DIR); it prints the man pages and completions
set -eu
umask 022

root=$(cd "$(dirname "$0")/.." && pwd)
fail() {
  echo "install: $*" >&2
  exit 1
}
case ${1-} in
install | install-debug | uninstall) action=$1 ;;
*) fail "say install, install-debug or uninstall" ;;
esac

absolute() {
  case $1 in
  /*) path=$1 ;;
  *) path=$PWD/$1 ;;
  esac
  while [ "$path" != "${path%/}" ]; do path=${path%/}; done
  printf '%s\n' "$path"
}
prefix=$(absolute "${PREFIX:-/usr/local}")
bindir=$(absolute "${BINDIR:-$prefix/bin}")
libdir=$(absolute "${LIBDIR:-$prefix/lib}")
includedir=$(absolute "${INCLUDEDIR:-$prefix/include}")
datadir=$(absolute "${DATADIR:-$prefix/share}")
mandir=$(absolute "${MANDIR:-$datadir/man}")
docdir=$(absolute "${DOCDIR:-$datadir/doc/binlog}")
pkgconfigdir=$(absolute "${PKGCONFIGDIR:-$libdir/pkgconfig}")
cmakedir=$(absolute "${CMAKEDIR:-$libdir/cmake/binlog}")
bashdir=$(absolute "${BASHCOMPDIR:-$datadir/bash-completion/completions}")
zshdir=$(absolute "${ZSHCOMPDIR:-$datadir/zsh/site-functions}")
fishdir=$(absolute "${FISHCOMPDIR:-$datadir/fish/vendor_completions.d}")
debugdir=$(absolute "${DEBUGDIR:-$libdir/debug}")
destdir=${DESTDIR:+$(absolute "$DESTDIR")}
case "$destdir$prefix$bindir$libdir$includedir$datadir$mandir$docdir$pkgconfigdir$cmakedir$debugdir" in
*"
"*) fail "a path with a line break cannot be installed into" ;;
esac
build=$(absolute "${BINLOG_BUILD_DIR:-$root/target/release}")

for built in libbinlog.so libbinlog.a libbinlog_stores.so libbinlog_stores.a binlog; do
  [ -f "$build/$built" ] || fail "there is no $build/$built; run make build first"
done
command=${BINLOG_HOST_COMMAND:-$build/binlog}
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$root/Cargo.toml" | head -n 1)
built_version=$("$command" --version) || fail "$command does not run here; BINLOG_HOST_COMMAND names one that does"
[ "$built_version" = "binlog $version" ] ||
  fail "$command says it is $built_version, and this is version $version; run make build first"
major=${version%%.*}

# The class byte of the ELF header: 1 for 32 bits, 2 for 64.
pointer_bytes=$(($(od -An -tu1 -j4 -N1 "$build/libbinlog.so") * 4))

# Everything is staged here first, under its final path. Then it is copied from the stage, or removed at the
# destination.
stage=$(mktemp -d "${TMPDIR:-/tmp}/binlog-install-XXXXXX")
trap 'rm -rf "$stage"' EXIT
trap 'exit 1' HUP INT TERM

put() { # MODE SOURCE DIRECTORY [NAME]
  mkdir -p "$stage$3"
  cp "$2" "$stage$3/${4:-$(basename "$2")}"
  chmod "$1" "$stage$3/${4:-$(basename "$2")}"
}

# relative FROM TO: the path from one absolute directory to another that contains it, or no output.
relative() {
  case $1/ in
  "$2"/*) printf '%s' "${1#"$2"}" | sed 's:/[^/]*:/..:g' ;;
  esac
}
# below DIRECTORY VARIABLE: a path in terms of the prefix, if it is there.
below() {
  case $1/ in
  "$prefix"/*) printf '%s' "$2${1#"$prefix"}" ;;
  *) printf '%s' "$1" ;;
  esac
}
# A space in a .pc file is written with a backslash; pkg-config itself escapes the ones that it inserts.
pc_path() { printf '%s' "$1" | sed 's/ /\\ /g'; }
as_it_is() { printf '%s' "$1"; }
escaped() { printf '%s' "$1" | sed 's/[\\&|]/\\&/g'; }

# filled TEMPLATE DIRECTORY HERE VARIABLE: a file that is installed into DIRECTORY, which it calls HERE, and finds the
# rest from there: a prefix that is moved as a whole still works.
filled() {
  case $2/ in
  "$prefix"/*) found=$3$(relative "$2" "$prefix") ;;
  *) found=$prefix ;;
  esac
  mkdir -p "$stage$2"
  name=$(basename "$1" .in)
  spelt=as_it_is
  [ "${name%.pc}" = "$name" ] || spelt=pc_path
  sed -e "s|@PREFIX@|$(escaped "$($spelt "$found")")|g" \
    -e "s|@LIBDIR@|$(escaped "$($spelt "$(below "$libdir" "$4")")")|g" \
    -e "s|@INCLUDEDIR@|$(escaped "$($spelt "$(below "$includedir" "$4")")")|g" \
    -e "s|@VERSION@|$version|g" -e "s|@MAJOR@|$major|g" -e "s|@POINTER_BYTES@|$pointer_bytes|g" "$1" >"$stage$2/$name"
  chmod 644 "$stage$2/$name"
}

# debug_file BINARY: the path of its debug information, by its build id.
debug_file() {
  id=$(LC_ALL=C "${READELF:-readelf}" -n "$1" 2>/dev/null | sed -n 's/^ *Build ID: *//p' | head -n 1)
  [ -z "$id" ] || printf '%s/.build-id/%.2s/%s.debug' "$debugdir" "$id" "${id#??}"
}
put_debug() {
  path=$(debug_file "$1")
  [ -n "$path" ] || return 0
  mkdir -p "$stage${path%/*}"
  case $action in
  # Only its name is needed.
  uninstall) : >"$stage$path" ;;
  *)
    "${OBJCOPY:-objcopy}" --only-keep-debug "$1" "$stage$path" ||
      fail "${OBJCOPY:-objcopy} cannot take the debug information out of $1: OBJCOPY names a program that can"
    ;;
  esac
  chmod 644 "$stage$path"
}
if [ "$action" != install ]; then
  for binary in libbinlog.so libbinlog_stores.so binlog; do put_debug "$build/$binary"; done
fi

if [ "$action" != install-debug ]; then
  for library in libbinlog libbinlog_stores; do
    put 755 "$build/$library.so" "$libdir" "$library.so.$version"
    ln -s "$library.so.$version" "$stage$libdir/$library.so.$major"
    ln -s "$library.so.$major" "$stage$libdir/$library.so"
    put 644 "$build/$library.a" "$libdir"
  done
  put 755 "$build/binlog" "$bindir"
  if [ -n "${STRIP-strip}" ] && [ "$action" = install ]; then
    "${STRIP-strip}" --strip-unneeded "$stage$libdir/libbinlog.so.$version" "$stage$libdir/libbinlog_stores.so.$version" &&
      "${STRIP-strip}" "$stage$bindir/binlog" ||
      fail "${STRIP-strip} cannot strip what was built: STRIP names a program that can, STRIP= installs it as it is"
  fi
  for header in binlog.h binlog_stores.h binlog.hpp; do put 644 "$root/include/$header" "$includedir"; done
  for header in "$root"/include/binlog/*.hpp; do put 644 "$header" "$includedir/binlog"; done

  # The dollar signs are for the programs that read these files.
  # shellcheck disable=SC2016
  filled "$root/packaging/binlog.pc.in" "$pkgconfigdir" '${pcfiledir}' '${prefix}'
  for file in binlog-config.cmake binlog-config-version.cmake; do
    # shellcheck disable=SC2016
    filled "$root/packaging/cmake/$file.in" "$cmakedir" '${_binlog_here}' '${_binlog_prefix}'
  done

  "$command" man "$stage$mandir/man1"
  mkdir -p "$stage$bashdir" "$stage$zshdir" "$stage$fishdir"
  "$command" completions bash >"$stage$bashdir/binlog"
  "$command" completions zsh >"$stage$zshdir/_binlog"
  "$command" completions fish >"$stage$fishdir/binlog.fish"

  put 644 "$root/packaging/lnav/binlog_log.json" "$datadir/lnav/formats/binlog"

  for page in README.md CHANGELOG.md LICENSE; do put 644 "$root/$page" "$docdir"; done
  for page in "$root"/docs/*.md "$root"/docs/binlog.proto; do put 644 "$page" "$docdir/docs"; done
fi

# Every path below the stage, one a line.
files() { (cd "$stage" && find . \( -type f -o -type l \) -print | sed 's/^\.//' | LC_ALL=C sort); }

if [ "$action" != uninstall ]; then
  # A file is written beside the old one and renamed over it: running programs keep the old one.
  files | while IFS= read -r path; do
    target=$destdir$path
    mkdir -p "${target%/*}"
    rm -f "$target.new"
    cp -P -p "$stage$path" "$target.new"
    mv -f "$target.new" "$target"
  done
  case $action in
  install) echo "binlog $version is in $destdir$prefix" ;;
  install-debug) echo "the debug information of binlog $version is in $destdir$debugdir" ;;
  esac
else
  files | while IFS= read -r path; do rm -f "$destdir$path"; done
  # Directories that only we use are removed when they are empty; other files in them stay.
  for directory in "$includedir/binlog" "$cmakedir" "$docdir/docs" "$docdir"; do
    [ ! -d "$destdir$directory" ] || rmdir "$destdir$directory" 2>/dev/null ||
      echo "install: $destdir$directory is not empty, and stays" >&2
  done
  echo "binlog $version is gone from $destdir$prefix"
fi
