// Files are synced in the threads of libuv, and disks take many syncs at once far better than one by one: not 4 but 16. Their
// number counts when the first one starts, for which the loader of ES modules is enough: the launchers are none.
process.env.UV_THREADPOOL_SIZE ??= '16'
