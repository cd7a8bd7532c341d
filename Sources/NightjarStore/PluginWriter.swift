import GRDB
import NightjarSignals

/// Writes what is kept of plugins. Belongs to the writer.
final class PluginWriter {
    private let upsert: PreparedStatement
    private let forget: PreparedStatement
    private let newestContent: PreparedStatement
    private let dropContent: PreparedStatement
    private let insertContent: PreparedStatement
    private let dropOldContents: PreparedStatement

    init(_ db: Database) throws {
        upsert = try PreparedStatement(
            db,
            """
            INSERT INTO plugins (\(Columns.plugin)) VALUES (\(Columns.marks(Columns.plugin)))
            ON CONFLICT (name) DO UPDATE SET \(Columns.replacements(Columns.plugin))
            """
        )
        forget = try PreparedStatement(db, "DELETE FROM plugins WHERE name = ?")
        newestContent = try PreparedStatement(
            db,
            "SELECT hash FROM plugin_contents WHERE name = ? ORDER BY row DESC LIMIT 1"
        )
        dropContent = try PreparedStatement(db, "DELETE FROM plugin_contents WHERE name = ? AND hash = ?")
        insertContent = try PreparedStatement(
            db,
            "INSERT INTO plugin_contents (name, hash, loaded_at, packed) VALUES (?, ?, ?, ?)"
        )
        dropOldContents = try PreparedStatement(
            db,
            """
            DELETE FROM plugin_contents WHERE name = ?1 AND row NOT IN
                (SELECT row FROM plugin_contents WHERE name = ?1 ORDER BY row DESC LIMIT \(PluginChange.contentLimit))
            """
        )
    }

    func write(_ change: PluginChange) throws {
        switch change {
        case .keep(let record):
            upsert.bind(record)
            try upsert.run()
        case .forget(let name):
            forget.bind(1, name)
            try forget.run()
        case .content(let content): try write(content)
        }
    }

    private func write(_ content: PluginContentRecord) throws {
        // Every start gives each plugin's content again.
        newestContent.bind(1, content.name)
        guard try newestContent.first({ $0.text(0) }) != content.hash else { return }
        dropContent.bind(1, content.name)
        dropContent.bind(2, content.hash)
        try dropContent.run()
        insertContent.bind(1, content.name)
        insertContent.bind(2, content.hash)
        insertContent.bind(3, content.loadedAt)
        try insertContent.run(binding: content.packed, at: 4)
        dropOldContents.bind(1, content.name)
        try dropOldContents.run()
    }
}

extension PreparedStatement {
    fileprivate func bind(_ record: PluginRecord) {
        bind(1, record.name)
        bind(2, record.isDisabled)
        bind(3, record.pinHash)
        bind(4, record.pinMark)
        if let state = record.state { bind(5, state) } else { bindNull(5) }
        bind(6, record.stateVersion)
        bind(7, record.stateHash)
    }

    /// A record read with `Columns.plugin`.
    func pluginRecord() -> PluginRecord {
        var record = PluginRecord(name: text(0))
        record.isDisabled = bool(1)
        record.pinHash = optional(2, text)
        record.pinMark = optional(3, text)
        record.state = optional(4, bytes)
        record.stateVersion = optional(5, text)
        record.stateHash = optional(6, text)
        return record
    }
}
