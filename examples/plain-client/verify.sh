#!/bin/sh
# For --check: an image is installed only if the publisher signed it as this version of this product.
#   verify.sh IDENTITY ROOT...
# The folder that `otaru device add` wrote, and root documents: the first that root.pub signed, then each its next.
# Needs curl and `otaru` (or what OTARU names); asks the server for the manifest alone, and believes nothing of it.
set -eu

identity=$1
shift
setting() { sed -n "s/^$1 = \"\(.*\)\"\$/\1/p" "$identity/device.toml"; }
product=$(setting product)
manifest=$OTARU_IMAGE.manifest

# What a link or a server does for a while is no verdict: 75 asks for another try.
code=$(curl --silent --show-error --max-time 60 \
    --cacert "$identity/ca.pem" --cert "$identity/cert.pem" --key "$identity/key.pem" --write-out '%{http_code}' \
    --output "$manifest" "$(setting device_url)/firmware/$product/$OTARU_VERSION.manifest") || exit 75
case $code in
200) ;;
429 | 5??) exit 75 ;;
*)
    echo "the manifest of $OTARU_VERSION: HTTP $code" >&2
    exit 1
    ;;
esac
roots=$#
while [ "$roots" -gt 0 ]; do
    set -- "$@" --root "$1"
    shift
    roots=$((roots - 1))
done
found=$("${OTARU:-otaru}" release verify "$OTARU_IMAGE" --manifest "$manifest" --root-key "$identity/root.pub" \
    "$@" -o ndjson) || {
    # One that is not there, or was killed, has said nothing of the image.
    [ $? -gt 125 ] && exit 75
    exit 1
}
# A good signature under another product or version is not the one that was asked for.
printf '%s' "$found" | grep -F "\"product\":\"$product\"" | grep -qF "\"version\":\"$OTARU_VERSION\""
