import Foundation
import Synchronization

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

/// The file of a database that is written by one store at a time: a second one, which would count from totals of its own, is
/// refused. It must not be let go of before every connection to the file is closed: closing any descriptor of a file ends the
/// locks that SQLite has on it.
final class DatabaseFile: Sendable {
    /// A process that was killed a moment ago may still hold its file, and nobody tells when it lets go.
    private static let pause = Duration.milliseconds(20)

    /// A disk with less is full: the smallest commits still fit, and what is sent does not.
    private static let leastRoomBytes: UInt64 = 1 << 20

    private let path: String
    /// Nil once it is let go of.
    private let descriptor: Mutex<Int32?>

    /// Takes the file for this store; makes it where it is missing, its folder not.
    /// - Throws: ``StoreError``: `busy` where another store still has it after `patience`, and why it cannot be opened.
    init(_ path: String, patience: Duration) throws(StoreError) {
        self.path = path
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw Self.failure(path, errno) }
        self.descriptor = Mutex(descriptor)
        let deadline = ContinuousClock.now + patience
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            // Some file systems know no such lock; SQLite's own still keep the file whole there.
            guard errno == EWOULDBLOCK || errno == EINTR else { return }
            guard ContinuousClock.now < deadline else {
                throw StoreError(code: .busy, detail: "another server writes to it")
            }
            // The lock cannot be waited for with a limit, so it is looked at again and again.
            usleep(UInt32(Self.pause.milliseconds * 1000))
        }
    }

    deinit { release() }

    /// Lets another store have the file.
    func release() {
        descriptor.withLock { descriptor in
            if let open = descriptor { close(open) }
            descriptor = nil
        }
    }

    /// Writes the log again as it is, and waits until it is on the disk; call it while nobody can write to the database, and
    /// before anything that has to last is committed.
    ///
    /// Where a sync fails, the system forgets that the pages were not written. SQLite writes over those of the transaction that
    /// failed. But what an earlier run left so, if it was killed first, is in the system's cache and taken for committed, and so
    /// is what was committed without a sync: a later sync would succeed without it, and after a power cut the log would end
    /// before all that was acknowledged since. Writing makes the pages unwritten again.
    func settleLog() throws(StoreError) {
        let log = open(path + "-wal", O_RDWR | O_CLOEXEC)
        guard log >= 0 else {
            if errno == ENOENT { return }
            throw Self.failure(path + "-wal", errno)
        }
        defer { close(log) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        var offset = 0
        while true {
            let count = pread(log, &bytes, bytes.count, off_t(offset))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Self.failure(path + "-wal", errno) }
            guard count > 0 else { break }
            guard pwrite(log, bytes, count, off_t(offset)) == count else {
                throw Self.failure(path + "-wal", errno)
            }
            offset += count
        }
        guard offset == 0 || fsync(log) == 0 else { throw Self.failure(path + "-wal", errno) }
    }

    /// Whether the disk has room for more than the smallest commit; true where that cannot be found out.
    var hasRoom: Bool {
        var space = statvfs()
        guard statvfs(path, &space) == 0 else { return true }
        return UInt64(space.f_bavail) * UInt64(space.f_frsize) >= Self.leastRoomBytes
    }

    private static func failure(_ path: String, _ number: Int32) -> StoreError {
        let code: StoreError.Code =
            switch number {
            case ENOSPC, EDQUOT, EFBIG: .full
            case EROFS, EACCES, EPERM: .readOnly
            default: .inputOutput
            }
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        let detail =
            number == ENOENT && !FileManager.default.fileExists(atPath: folder)
            ? "there is no folder \(folder)" : "\(path): \(String(cString: strerror(number)))"
        return StoreError(code: code, detail: detail)
    }
}
