#!/bin/sh
# Makes the certificates beside this file anew, with OpenSSL: those of an authority, of its server and its device,
# and what a thief makes of them. Keys are thrown away, but for
# the server's, which is 32 times the byte 7: the tests sign with it.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

key() {
    openssl ecparam -name prime256v1 -genkey -noout -out "$work/$1.key"
}

# The same from 32 times the byte 7 (RFC 5915).
known_key() {
    { printf '\060\061\002\001\001\004\040' && printf '\007%.0s' $(seq 32) &&
        printf '\240\012\006\010\052\206\110\316\075\003\001\007'; } |
        openssl ec -inform der -out "$work/$1.key" 2>/dev/null
}

# authority NAME : signs itself.
authority() {
    key "$1"
    openssl req -x509 -new -key "$work/$1.key" -days 10000 -subj "/CN=$1" -out "$work/$1.pem" \
        -addext keyUsage=critical,keyCertSign
    openssl x509 -in "$work/$1.pem" -outform der -out "$1.der"
}

# leaf NAME SIGNER USE : for 10.0.2.2 and broker.example.
leaf() {
    [ -e "$work/$1.key" ] || key "$1"
    printf 'extendedKeyUsage=%s\nsubjectAltName=DNS:broker.example,IP:10.0.2.2\n' "$3" >"$work/$1.ext"
    openssl req -new -key "$work/$1.key" -subj "/CN=$1" -out "$work/$1.csr"
    openssl x509 -req -in "$work/$1.csr" -CA "$work/$2.pem" -CAkey "$work/$2.key" -days 9000 \
        -extfile "$work/$1.ext" -out "$work/$1.pem" 2>/dev/null
    openssl x509 -in "$work/$1.pem" -outform der -out "$1.der"
}

authority authority
authority stranger
known_key server
leaf server authority serverAuth
leaf device authority clientAuth
leaf strangers-server stranger serverAuth
# A device's certificate signs none, whatever its key is good for.
leaf forged device serverAuth
