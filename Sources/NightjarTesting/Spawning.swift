import Foundation
import Synchronization

#if canImport(Glibc)
import Glibc
#endif

/// A child process with a pipe for each of its streams.
///
/// Not Foundation's `Process`: a child of that inherits the signal mask of the thread that starts it, and on threads of the
/// concurrency runtime the mask keeps SIGTERM out, so that a server started by a test could not be asked to stop.
final class ChildProcess: Sendable {
    let id: pid_t
    private let outcome = Mutex<Int32?>(nil)
    /// Held from making pipes to having started: a child started in between would keep their ends open.
    private static let starting = Mutex(())

    /// Starts a program with streams whose read ends go to `collect`, called once.
    init(
        _ program: String,
        _ arguments: [String],
        environment: [String: String],
        folder: String?,
        collect: (_ output: Int32, _ error: Int32) -> Void
    ) throws {
        var command = [program] + arguments
        // The shell changes the folder and becomes the program, under the same process number.
        if let folder { command = ["/bin/sh", "-c", "cd \"$0\" && exec \"$@\"", folder] + command }
        let started = try Self.starting.withLock { _ in try Self.start(command, environment) }
        id = started.id
        collect(started.output, started.error)
        Thread.detachNewThread { [self] in awaitEnd() }
    }

    private static func start(
        _ command: [String],
        _ environment: [String: String]
    ) throws -> (id: pid_t, output: Int32, error: Int32) {
        let (output, error) = (try pipe(), try pipe())
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        // dup2 clears close-on-exec on the copies; every other descriptor of ours has it.
        posix_spawn_file_actions_adddup2(&actions, output.write, 1)
        posix_spawn_file_actions_adddup2(&actions, error.write, 2)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        var (none, all) = (sigset_t(), sigset_t())
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        let arguments = command.map { strdup($0) } + [nil]
        let variables = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer {
            for text in arguments + variables { free(text) }
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
            close(output.write)
            close(error.write)
        }
        var id = pid_t()
        let failure = posix_spawn(&id, command[0], &actions, &attributes, arguments, variables)
        guard failure == 0 else {
            close(output.read)
            close(error.read)
            throw POSIXError(POSIXErrorCode(rawValue: failure) ?? .EIO)
        }
        return (id, output.read, error.read)
    }

    /// The exit code, minus the signal that ended it; nil while it runs.
    var result: Int32? { outcome.withLock { $0 } }

    /// Sends a signal if the process still runs.
    func signal(_ number: Int32) {
        // Under the lock the process is not reaped, so its number is still its own.
        outcome.withLock { outcome in
            if outcome == nil { kill(id, number) }
        }
    }

    private func awaitEnd() {
        var info = siginfo_t()
        while waitid(P_PID, id_t(id), &info, WEXITED | WNOWAIT) != 0, errno == EINTR {}
        outcome.withLock { outcome in
            var status: Int32 = 0
            waitpid(id, &status, 0)
            let signal = status & 0x7F
            outcome = signal == 0 ? (status >> 8) & 0xFF : -signal
        }
    }

    private static func pipe() throws -> (read: Int32, write: Int32) {
        var ends: [Int32] = [-1, -1]
        #if canImport(Glibc)
        let failure = Glibc.pipe(&ends)
        #else
        let failure = Darwin.pipe(&ends)
        #endif
        guard failure == 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (ends[0], ends[1])
    }
}
