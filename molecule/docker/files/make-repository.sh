#!/bin/sh
# Makes /srv/repository with Debian's packages under the names of Docker's, signed by a key of its own.
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qq install -y --no-install-recommends apt-utils gpg gpg-agent > /dev/null

repository=/srv/repository
index=$repository/dists/trixie/stable/binary-$(dpkg --print-architecture)
mkdir -p "$repository/pool" "$index"

# Debian's package $1 under the name $2, without what it says of packages that have that name.
rename() {
  build=$(mktemp -d)
  chown _apt "$build"
  (cd "$build" && apt-get -qq download "$1" && dpkg-deb --raw-extract "$1"_*.deb unpacked)
  sed -i -e "s/^Package: .*/Package: $2/" -e 's/^Version: .*/Version: 5:99.0/' -e '/^\(Conflicts\|Breaks\|Replaces\|Provides\|Source\):/d' \
    -e '/^Depends:/s/\<containerd\>\( ([^)]*)\)\?/containerd.io/; /^Depends:/s/\<docker-cli\>\( ([^)]*)\)\?/docker-ce-cli/' \
    "$build/unpacked/DEBIAN/control"
  dpkg-deb -Znone --build "$build/unpacked" "$repository/pool/$2.deb" > /dev/null
  rm -r "$build"
}
rename containerd containerd.io
rename docker.io docker-ce
rename docker-cli docker-ce-cli
rename docker-buildx docker-buildx-plugin
rename docker-compose docker-compose-plugin

cd $repository
apt-ftparchive packages pool > "$index/Packages"
apt-ftparchive -o APT::FTPArchive::Release::Suite=trixie -o APT::FTPArchive::Release::Components=stable \
  release dists/trixie > Release
mv Release dists/trixie/Release
GNUPGHOME=$(mktemp -d)
export GNUPGHOME
gpg --batch --quiet --passphrase '' --quick-generate-key repository@edusphere.test ed25519 sign
gpg --batch --quiet --clearsign --output dists/trixie/InRelease dists/trixie/Release
gpg --batch --armor --export > key.asc
gpgconf --kill gpg-agent
