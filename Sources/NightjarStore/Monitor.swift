package import NightjarSignals

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

/// A lock with a condition that waits by a clock that nobody can set back.
final class Monitor: @unchecked Sendable {
    // Unchecked: both are only ever handed to pthread functions, which are made for sharing.
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    init() {
        pthread_mutex_init(mutex, nil)
        #if canImport(Darwin)
        pthread_cond_init(condition, nil)
        #else
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
        #endif
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// Runs `body` alone.
    func locked<Value>(_ body: () -> Value) -> Value {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body()
    }

    /// Wakes everyone who waits.
    func wakeAll() {
        pthread_cond_broadcast(condition)
    }

    /// Waits for a wake-up, at most `limit`, at most an hour; call it within `locked`. May also wake up for no reason.
    func wait(atMost limit: Duration) {
        let nanoseconds = min(max(limit.nanoseconds, 0), 3_600_000_000_000)
        #if canImport(Darwin)
        var time = timespec(
            tv_sec: Int(nanoseconds / 1_000_000_000),
            tv_nsec: Int(nanoseconds % 1_000_000_000)
        )
        pthread_cond_timedwait_relative_np(condition, mutex, &time)
        #else
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        let sum = time.tv_nsec + Int(nanoseconds)
        time.tv_sec += sum / 1_000_000_000
        time.tv_nsec = sum % 1_000_000_000
        pthread_cond_timedwait(condition, mutex, &time)
        #endif
    }

    /// Waits until `condition` holds, at most `limit`; call it within `locked`. Whether it holds.
    func wait(atMost limit: Duration, until condition: () -> Bool) -> Bool {
        let deadline = ContinuousClock.now + limit
        while !condition() {
            let left = deadline - .now
            guard left > .zero else { return false }
            wait(atMost: left)
        }
        return true
    }
}

/// The wall clock.
package func wallClock() -> Timestamp {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Timestamp(unixNano: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
}
