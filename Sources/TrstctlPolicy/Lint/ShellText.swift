import TrstctlSystem

/// The text of a shell, as far as it can be read without running it (POSIX.1-2024, "Shell Command Language").
///
/// It is read so that no command is overlooked, not as a shell would execute it: both branches of a condition count.
/// What depends on variables, on names of files, or on further texts is an `obstacle`.
struct ShellText {
    private(set) var stages: [Stage] = []
    /// The texts whose output becomes part of a word.
    private(set) var substitutions: [[UInt8]] = []
    /// What cannot be read; nil when nothing is left out.
    private(set) var obstacle: String?

    private let bytes: [UInt8]
    private var place = 0
    private var word: Word?
    private var letters: [UInt8] = []
    private var stage = Stage()
    private var redirection = Redirection.none
    /// Whether it is the input's number that stands before it, as in `0>&3`.
    private var redirectsInput = false

    private enum Redirection {
        case none, output, input, literalInput
        /// Of a descriptor, or, with a name, of the output.
        case copy
        case inputCopy
    }

    /// Reads a text.
    ///
    /// - Parameters:
    ///   - bytes: as the shell gets it.
    ///   - isForeign: for a shell with another language, whose words and separators only are the same.
    init(_ bytes: [UInt8], isForeign: Bool = false) {
        self.bytes = bytes
        if isForeign, let other = bytes.first(where: { "$()[]{}*?~^%=\\`'\"!#".utf8.contains($0) }) {
            stop(other)
            return
        }
        while obstacle == nil, let byte = peek() { read(byte) }
        endPipeline()
    }

    private func peek(_ distance: Int = 0) -> UInt8? {
        bytes.indices.contains(place + distance) ? bytes[place + distance] : nil
    }

    private mutating func read(_ byte: UInt8) {
        place += 1
        switch byte {
        case UInt8(ascii: " "), UInt8(ascii: "\t"): endWord()
        case UInt8(ascii: "\n"), UInt8(ascii: ";"): endPipeline()
        case UInt8(ascii: "&"):
            if peek() == UInt8(ascii: ">") {
                endWord()
                place += 1
                redirectOutput()
            } else {
                endPipeline()
            }
        case UInt8(ascii: "|"): pipe()
        case UInt8(ascii: "("):
            // Behind a word it is a function or a list.
            guard word == nil, stage.words.isEmpty else { return stop("(") }
            endPipeline()
        case UInt8(ascii: ")"):
            endPipeline()
            stage.words = [Word(text: ")")]
        case UInt8(ascii: ">"): redirectOutput()
        case UInt8(ascii: "<"): redirectInput()
        case UInt8(ascii: "'"): readQuoted()
        case UInt8(ascii: "\""): readDoubleQuoted()
        case UInt8(ascii: "\\"):
            guard let next = peek() else { return stop("\\") }
            place += 1
            if next != UInt8(ascii: "\n") { append(next) }
        case UInt8(ascii: "$"), UInt8(ascii: "`"): expand(byte)
        case UInt8(ascii: "#") where word == nil:
            while let next = peek(), next != UInt8(ascii: "\n") { place += 1 }
        case UInt8(ascii: "*"), UInt8(ascii: "?"): stop(byte)
        case UInt8(ascii: "~") where word == nil: stop(byte)
        case UInt8(ascii: "["), UInt8(ascii: "{"): readBracket(byte)
        default: append(byte)
        }
    }

    private mutating func stop(_ what: String) { obstacle = obstacle ?? what }

    private mutating func stop(_ byte: UInt8) { stop(String(UnicodeScalar(byte))) }

    private mutating func append(_ byte: UInt8) {
        word = word ?? Word()
        letters.append(byte)
    }

    // `[` alone is a command and `{` a keyword; in words they stand for names of files, or for lists.
    private mutating func readBracket(_ byte: UInt8) {
        let next = peek() ?? UInt8(ascii: " ")
        let isEmptyPair = byte == UInt8(ascii: "{") && next == UInt8(ascii: "}")
        let isAlone = word == nil && " \t\n".utf8.contains(next)
        let isTest = word == nil && byte == UInt8(ascii: "[") && next == byte
        guard isAlone || isEmptyPair || isTest else { return stop(byte) }
        append(byte)
        if isTest {
            place += 1
            append(byte)
        }
    }

    private mutating func readQuoted() {
        word = word ?? Word()
        while let byte = peek() {
            place += 1
            if byte == UInt8(ascii: "'") { return }
            append(byte)
        }
        stop("'")
    }

    private mutating func readDoubleQuoted() {
        word = word ?? Word()
        while obstacle == nil, let byte = peek() {
            place += 1
            switch byte {
            case UInt8(ascii: "\""): return
            case UInt8(ascii: "$"), UInt8(ascii: "`"): expand(byte)
            case UInt8(ascii: "\\"):
                guard let next = peek(), "$`\"\\\n".utf8.contains(next) else {
                    append(byte)
                    continue
                }
                place += 1
                if next != UInt8(ascii: "\n") { append(next) }
            default: append(byte)
            }
        }
        stop("\"")
    }

    private mutating func expand(_ byte: UInt8) {
        guard byte == UInt8(ascii: "$") else { return substitute(until: byte) }
        switch peek() {
        case UInt8(ascii: "(") where peek(1) != UInt8(ascii: "("):
            place += 1
            substitute(until: UInt8(ascii: ")"))
        case let next? where "?$!#".utf8.contains(next):
            // A number.
            place += 1
            append(UInt8(ascii: "0"))
        case let next? where WordClass.isWordByte(next) || "'\"({@*[".utf8.contains(next):
            stop("$" + String(UnicodeScalar(next)))
        default: append(byte)
        }
    }

    private mutating func substitute(until end: UInt8) {
        word = word ?? Word()
        word?.isSubstituted = true
        let start = place
        var depth = 0
        while let byte = peek() {
            place += 1
            if byte == end, depth == 0 {
                substitutions.append(Array(bytes[start..<(place - 1)]))
                return
            }
            switch byte {
            case UInt8(ascii: "("): depth += 1
            case UInt8(ascii: ")"): depth -= 1
            // What is quoted in it, and in what, is not followed.
            case UInt8(ascii: "\\"), UInt8(ascii: "'"), UInt8(ascii: "\""): return stop("quotes in $(")
            default: break
            }
        }
        stop(end == UInt8(ascii: "`") ? "`" : "$(")
    }

    // MARK: - Redirections and ends

    private mutating func redirectOutput() {
        dropDescriptor()
        switch peek() {
        case UInt8(ascii: "("): return stop(">(")
        case UInt8(ascii: "&"):
            place += 1
            redirection = .copy
            return
        case UInt8(ascii: ">"), UInt8(ascii: "|"): place += 1
        default: break
        }
        redirection = .output
    }

    private mutating func redirectInput() {
        dropDescriptor()
        switch peek() {
        case UInt8(ascii: "("): return stop("<(")
        case UInt8(ascii: "<"):
            guard peek(1) == UInt8(ascii: "<") else { return stop("<<") }
            place += 2
            redirection = .literalInput
        case UInt8(ascii: "&"):
            place += 1
            redirection = .inputCopy
        case UInt8(ascii: ">"):
            place += 1
            redirection = .output
        default: redirection = .input
        }
    }

    // `2>`: the number is no word.
    private mutating func dropDescriptor() {
        redirectsInput = false
        if word == Word(), !letters.isEmpty, letters.allSatisfy(\.isASCIIDigit) {
            redirectsInput = letters.allSatisfy { $0 == UInt8(ascii: "0") }
            word = nil
            letters = []
        }
        endWord()
        if redirection != .none { stop("a redirection without a file") }
    }

    private mutating func endWord() {
        guard var ended = word else { return }
        ended.text = String(decoding: letters, as: UTF8.self)
        (word, letters) = (nil, [])
        switch redirection {
        case .none: stage.words.append(ended)
        case .output: stage.targets.append(ended)
        case .input: stage.inputs.append(ended)
        case .literalInput: stage.hasLiteralInput = true
        // The arrow says nothing about the direction.
        case .copy where redirectsInput: copyInput(ended)
        case .copy where ended.text == "-" || ended.text.utf8.allSatisfy(\.isASCIIDigit): break
        case .copy: stage.targets.append(ended)
        case .inputCopy: copyInput(ended)
        }
        if redirection != .none, ended.isSubstituted { stop("$( as the name of a file") }
        redirection = .none
    }

    private mutating func copyInput(_ number: Word) {
        stage.hasCopiedInput = stage.hasCopiedInput || !["0", "-"].contains(number.text)
    }

    private mutating func pipe() {
        if peek() == UInt8(ascii: "|") {
            place += 1
            return endPipeline()
        }
        if peek() == UInt8(ascii: "&") { place += 1 }
        endStage()
        stage.isPiped = true
    }

    private mutating func endPipeline() {
        endStage()
        stage.isPiped = false
    }

    private mutating func endStage() {
        endWord()
        if redirection != .none { stop("a redirection without a file") }
        var ended = stage
        stage = Stage()
        if let obstacle = ended.simplify() { stop(obstacle) }
        let isEmpty = ended.words.isEmpty && ended.targets.isEmpty && ended.inputs.isEmpty && !ended.isPiped
        if !isEmpty || ended.isGroupEnd { stages.append(ended) }
    }
}
