// libcrypto: key derivation, digests, constant-time comparison, random bytes. No TLS.
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
