# Stops a test cluster once no process has used it for a while.
# Arguments: folder, idle limit in seconds, then the command that stops the server.
folder=$1
idle_limit_s=$2
shift 2

exec 9>"$folder/watch.lock"
flock --nonblock 9 || exit 0

idle_s=0
while [ -d "$folder" ]; do
    sleep 2
    # Nobody can start or join while this lock is held.
    exec 8>"$folder/start.lock"
    flock 8
    if flock --nonblock --exclusive "$folder/users.lock" true; then
        idle_s=$((idle_s + 2))
    else
        idle_s=0
    fi
    if [ "$idle_s" -ge "$idle_limit_s" ]; then
        "$@"
        rm -rf "$folder/data" "$folder/address"
        exit 0
    fi
    exec 8>&-
done
