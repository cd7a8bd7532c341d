/// The metrics of a request.
extension PayloadWalk {
    /// A Metric message. Of data that is there twice only the last counts, but all of it is written.
    mutating func metric(_ message: WireReader) throws(WireError) {
        var reader = message
        while !reader.isAtEnd {
            let tag = try reader.tag()
            guard let kind = MetricKind(tag: tag) else {
                try reader.skip(tag)
                continue
            }
            let fields = LabelTag(kind)
            try descend(&reader) { walk, content throws(WireError) in try walk.points(content, fields) }
        }
    }

    private mutating func points(_ message: WireReader, _ fields: LabelTag) throws(WireError) {
        var reader = message
        while !reader.isAtEnd {
            let tag = try reader.tag()
            guard tag == LabelTag.point else {
                try reader.skip(tag)
                continue
            }
            try descend(&reader) { walk, content throws(WireError) in try walk.point(content, fields) }
        }
    }

    private mutating func point(_ message: WireReader, _ fields: LabelTag) throws(WireError) {
        var reader = message
        while !reader.isAtEnd {
            let tag = try reader.tag()
            if tag == fields.attribute {
                try attribute(&reader)
            } else if tag == fields.exemplar {
                try attributes(LabelTag.exemplarAttribute, &reader)
            } else {
                try reader.skip(tag)
            }
        }
    }
}

/// The fields that lead to the attributes of data points and of their exemplars.
private struct LabelTag {
    let attribute: UInt32
    /// Nil where points of the kind have none.
    let exemplar: UInt32?

    init(_ kind: MetricKind) {
        switch kind {
        case .gauge, .sum: (attribute, exemplar) = (tag(7, .bytes), tag(5, .bytes))
        case .histogram: (attribute, exemplar) = (tag(9, .bytes), tag(8, .bytes))
        case .exponentialHistogram: (attribute, exemplar) = (tag(1, .bytes), tag(11, .bytes))
        case .summary: (attribute, exemplar) = (tag(7, .bytes), nil)
        }
    }

    static let point = tag(1, .bytes)
    static let exemplarAttribute = tag(7, .bytes)
}
