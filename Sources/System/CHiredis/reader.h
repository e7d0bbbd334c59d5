// hiredis as a RESP parser: its reply reader and nothing that opens a connection.
#include <hiredis/read.h>
