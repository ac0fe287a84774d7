import CYaml

/// One event of libyaml as a value, without a pointer into it.
struct YAMLEvent {
    enum Kind {
        case streamStart
        case streamEnd
        case documentStart(hasDirective: Bool)
        case documentEnd
        case alias
        case scalar(YAMLNode.Scalar)
        case sequenceStart(isFlow: Bool)
        case sequenceEnd
        case mappingStart(isFlow: Bool)
        case mappingEnd
        case none
    }

    let kind: Kind
    let start: YAMLPosition
    let end: YAMLPosition
    /// What the event uses of YAML that a manifest may not, in words for people.
    let forbidden: String?

    init(_ event: yaml_event_t) {
        start = YAMLPosition(event.start_mark)
        end = YAMLPosition(event.end_mark)
        var anchor: UnsafeMutablePointer<yaml_char_t>?
        var tag: UnsafeMutablePointer<yaml_char_t>?
        switch event.type {
        case YAML_STREAM_START_EVENT: kind = .streamStart
        case YAML_STREAM_END_EVENT: kind = .streamEnd
        case YAML_DOCUMENT_START_EVENT:
            let document = event.data.document_start
            kind = .documentStart(
                hasDirective: document.version_directive != nil
                    || document.tag_directives.start != document.tag_directives.end)
        case YAML_DOCUMENT_END_EVENT: kind = .documentEnd
        case YAML_ALIAS_EVENT: kind = .alias
        case YAML_SCALAR_EVENT:
            let scalar = event.data.scalar
            (anchor, tag) = (scalar.anchor, scalar.tag)
            kind = .scalar(
                YAMLNode.Scalar(
                    bytes: Array(UnsafeBufferPointer(start: scalar.value, count: scalar.length)),
                    isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE,
                    isBlock: scalar.style == YAML_LITERAL_SCALAR_STYLE || scalar.style == YAML_FOLDED_SCALAR_STYLE))
        case YAML_SEQUENCE_START_EVENT:
            let sequence = event.data.sequence_start
            (anchor, tag) = (sequence.anchor, sequence.tag)
            kind = .sequenceStart(isFlow: sequence.style == YAML_FLOW_SEQUENCE_STYLE)
        case YAML_SEQUENCE_END_EVENT: kind = .sequenceEnd
        case YAML_MAPPING_START_EVENT:
            let mapping = event.data.mapping_start
            (anchor, tag) = (mapping.anchor, mapping.tag)
            kind = .mappingStart(isFlow: mapping.style == YAML_FLOW_MAPPING_STYLE)
        case YAML_MAPPING_END_EVENT: kind = .mappingEnd
        default: kind = .none
        }
        if case .alias = kind {
            forbidden = "an alias (*name)"
        } else if anchor != nil {
            forbidden = "an anchor (&name)"
        } else if tag != nil {
            forbidden = "a tag (!name)"
        } else {
            forbidden = nil
        }
    }
}

extension YAMLPosition {
    init(_ mark: yaml_mark_t) {
        self.init(
            line: Int(clamping: mark.line) + 1, column: Int(clamping: mark.column) + 1, index: Int(clamping: mark.index)
        )
    }
}
