// A connector without an SDK, written from spec/handshake.md, spec/protocol.md and proto/ alone: Hello, Ping, Shutdown.
//
// It shows that the protocol can be spoken with a language's standard library, and the tests start it in every profile.
package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"syscall"
)

const (
	name   = "go"
	cookie = "trstctl-plugin-6f2d1c"
	limit  = 4 << 20

	hello, ping, shutdown = 16, 25, 26
	unimplemented         = 12
)

// --- protobuf, as much as is needed: https://protobuf.dev/programming-guides/encoding

func integer(field, number uint64) []byte {
	return append(binary.AppendUvarint(nil, field<<3), binary.AppendUvarint(nil, number)...)
}

func chunk(field uint64, content []byte) []byte {
	header := append(binary.AppendUvarint(nil, field<<3|2), binary.AppendUvarint(nil, uint64(len(content)))...)
	return append(header, content...)
}

func join(parts ...[]byte) (all []byte) {
	for _, part := range parts {
		all = append(all, part...)
	}
	return
}

// One field of a message: its number with an integer, or with bytes.
type field struct {
	number, integer uint64
	bytes           []byte
}

func fields(data []byte) (all []field) {
	next := func() uint64 {
		value, length := binary.Uvarint(data)
		if length <= 0 {
			violation("invalid-message")
		}
		data = data[length:]
		return value
	}
	for len(data) > 0 {
		key := next()
		found := field{number: key >> 3}
		switch size, kind := uint64(0), key&7; kind {
		case 0:
			found.integer = next()
		case 1, 2, 5:
			if size = map[uint64]uint64{1: 8, 5: 4}[kind]; kind == 2 {
				size = next()
			}
			if size > uint64(len(data)) {
				violation("invalid-message")
			}
			found.bytes, data = data[:size], data[size:]
		default:
			violation("invalid-message")
		}
		all = append(all, found)
	}
	return
}

// --- the protocol

func violation(what string) {
	fmt.Fprintln(os.Stderr, "the host broke the protocol:", what)
	os.Exit(70)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(71)
	}
}

// The result of a method of the host; false for one that is not offered.
func answer(method uint64, request []byte) ([]byte, bool) {
	switch method {
	case ping:
		var payload []byte
		for _, f := range fields(request) {
			if f.number == 1 {
				payload = chunk(1, f.bytes)
			}
		}
		return payload, true
	case hello:
		agreed := uint64(0)
		for _, f := range fields(request) {
			versions := f.bytes // packed
			if f.bytes == nil {
				versions = binary.AppendUvarint(nil, f.integer)
			}
			for f.number == 1 && len(versions) > 0 {
				version, length := binary.Uvarint(versions)
				if length <= 0 {
					violation("invalid-message")
				}
				if version == 1 {
					agreed = 1
				}
				versions = versions[length:]
			}
		}
		implementation := join(chunk(1, []byte("trstctl-connector-"+name)), chunk(2, []byte("1")))
		description := join(chunk(1, []byte(name)), chunk(2, []byte("Answers Ping.")))
		return join(integer(1, agreed), chunk(2, []byte{1}), chunk(3, implementation), chunk(6, description)), true
	}
	return nil, method == shutdown
}

func serve(stream *bufio.ReadWriter) {
	var prefix [4]byte
	for last := uint64(0); ; {
		if _, err := io.ReadFull(stream, prefix[:]); err == io.EOF {
			return // the host is gone
		} else if err != nil {
			violation("frame-truncated")
		}
		length := binary.BigEndian.Uint32(prefix[:])
		if length == 0 || length > limit {
			violation("frame-empty or frame-too-long")
		}
		frame := make([]byte, length)
		if _, err := io.ReadFull(stream, frame); err != nil {
			violation("frame-truncated")
		}
		var id, kind, method uint64
		var body, request []byte
		for _, f := range fields(frame) {
			if f.number == 1 {
				id = f.integer
			} else if f.number <= 4 {
				kind, body = f.number, f.bytes
			}
		}
		if kind == 4 && id != 0 && id <= last {
			continue // every call is answered before the next frame is read, so a Cancel comes too late
		}
		if id <= last || kind != 2 {
			violation("id-not-increasing, id-zero, or no call")
		}
		for _, f := range fields(body) {
			if f.number >= 16 {
				method, request = f.number, f.bytes
			}
		}
		if (last == 0) != (method == hello) {
			violation("call-before-hello or second-hello")
		}
		last = id
		reply := chunk(1, join(integer(1, unimplemented), chunk(2, []byte(fmt.Sprintf("method %d is not offered", method)))))
		if result, known := answer(method, request); known {
			reply = join(chunk(1, integer(1, 0)), chunk(method, result))
		}
		message := join(integer(1, id), chunk(3, reply))
		binary.BigEndian.PutUint32(prefix[:], uint32(len(message)))
		stream.Write(prefix[:])
		stream.Write(message)
		check(stream.Flush())
		if method == shutdown {
			return
		}
	}
}

func main() {
	if os.Getenv("TRSTCTL_PLUGIN_COOKIE") != cookie {
		fmt.Fprintf(os.Stderr, "trstctl-connector-%s is started by trstctl\n", name)
		os.Exit(2)
	}
	path := os.Getenv("TRSTCTL_PLUGIN_SOCKET_DIR") + "/s"
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	check(err)
	fmt.Println("TRSTCTL-PLUGIN-V1", path)
	host, hostErr := strconv.Atoi(os.Getenv("TRSTCTL_HOST_UID"))
	for {
		connection, err := listener.AcceptUnix()
		check(err)
		raw, err := connection.SyscallConn()
		check(err)
		var peer *syscall.Ucred
		check(raw.Control(func(fd uintptr) {
			peer, err = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
		}))
		check(err)
		if hostErr == nil && int(peer.Uid) != host && peer.Uid != 65534 {
			connection.Close()
			continue
		}
		listener.Close()
		serve(bufio.NewReadWriter(bufio.NewReader(connection), bufio.NewWriter(connection)))
		return
	}
}
