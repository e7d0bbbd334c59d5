#!/usr/bin/env bash
# The command of nginx's container: renders the configuration from the environment, then runs it.
set -euo pipefail

scripts/render-nginx.sh --docker --out /run/tandem-nginx
exec nginx -c /run/tandem-nginx/nginx.conf
