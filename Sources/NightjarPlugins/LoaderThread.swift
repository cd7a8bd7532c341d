import Glibc

/// Runs a body on a thread of its own with a stack that Lua's parser cannot exhaust, and waits for it.
func runOnLargeStack(_ body: @escaping @Sendable () -> Void) {
    guard let thread = startThread(body) else { return body() }
    pthread_join(thread, nil)
}

/// Starts a thread with a stack of 16 MiB; nil where the system has none to give.
func startThread(_ body: @escaping @Sendable () -> Void) -> pthread_t? {
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    // Error messages about long chains of fields recurse in Lua 5.4.4; 8 MiB are enough for 32 KiB of source.
    pthread_attr_setstacksize(&attributes, 16 << 20)
    let box = Unmanaged.passRetained(ThreadBody(run: body))
    var thread = pthread_t()
    let status = pthread_create(
        &thread,
        &attributes,
        { context in
            guard let context else { return nil }
            Unmanaged<ThreadBody>.fromOpaque(context).takeRetainedValue().run()
            return nil
        },
        box.toOpaque()
    )
    guard status == 0 else {
        box.release()
        return nil
    }
    return thread
}

private final class ThreadBody: Sendable {
    let run: @Sendable () -> Void

    init(run: @escaping @Sendable () -> Void) { self.run = run }
}
