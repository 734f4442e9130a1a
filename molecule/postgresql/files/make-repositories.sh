#!/bin/sh
# Makes the repositories signed, forged and unsigned in nginx's document root, each with the suite $1, and the key of the first.
set -eu
suite=$1
cd /var/www/html
index=dists/$suite/main/binary-$(dpkg --print-architecture)

mkdir -p "signed/pool" "signed/$index"
cd signed/pool
chown _apt .
# The server and what Debian 13 has only in other versions.
apt-get -qq download postgresql-15 postgresql-client-15 libicu72 libldap-2.5-0 libllvm14
cd ..
apt-ftparchive packages pool > "$index/Packages"
apt-ftparchive -o "APT::FTPArchive::Release::Suite=$suite" -o APT::FTPArchive::Release::Components=main \
  release "dists/$suite" > Release
mv Release "dists/$suite/Release"
cd ..
cp -al signed forged
cp -al signed unsigned

GNUPGHOME=$(mktemp -d)
export GNUPGHOME
for repository in signed forged; do
  gpg --batch --quiet --passphrase '' --quick-generate-key "$repository@edusphere.test" ed25519 sign
  gpg --batch --quiet --local-user "$repository@edusphere.test" --clearsign \
    --output "$repository/dists/$suite/InRelease" "$repository/dists/$suite/Release"
done
gpg --batch --armor --export signed@edusphere.test > archive.asc
gpgconf --kill gpg-agent
