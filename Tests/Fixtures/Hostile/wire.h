// Protobuf by hand: as much of it as the hostile connector needs, on its wire format alone.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct bytes {
    unsigned char *data;
    size_t count, capacity;
};

static void put(struct bytes *to, const void *data, size_t count) {
    if (to->count + count > to->capacity) {
        to->capacity = (to->count + count) * 2 + 64;
        to->data = realloc(to->data, to->capacity);
        if (!to->data) _exit(99);
    }
    if (count) memcpy(to->data + to->count, data, count);
    to->count += count;
}

static void put_varint(struct bytes *to, uint64_t value) {
    do {
        unsigned char byte = (value & 0x7f) | (value > 0x7f ? 0x80 : 0);
        put(to, &byte, 1);
        value >>= 7;
    } while (value);
}

static void put_number(struct bytes *to, unsigned field, uint64_t value) {
    put_varint(to, field << 3);
    put_varint(to, value);
}

static void put_data(struct bytes *to, unsigned field, const void *data, size_t count) {
    put_varint(to, field << 3 | 2);
    put_varint(to, count);
    put(to, data, count);
}

static void put_text(struct bytes *to, unsigned field, const char *text) { put_data(to, field, text, strlen(text)); }

static void put_message(struct bytes *to, unsigned field, struct bytes message) {
    put_data(to, field, message.data, message.count);
    free(message.data);
}

struct view {
    const unsigned char *data;
    size_t count;
};

struct field {
    unsigned number;
    uint64_t value;
    struct view data;
};

static uint64_t take_varint(struct view *from) {
    uint64_t value = 0;
    for (int shift = 0; from->count && shift < 64; shift += 7) {
        unsigned char byte = *from->data++;
        from->count--;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) break;
    }
    return value;
}

static int take_field(struct view *from, struct field *field) {
    if (!from->count) return 0;
    memset(field, 0, sizeof *field);
    uint64_t tag = take_varint(from);
    field->number = (unsigned)(tag >> 3);
    if ((tag & 7) == 0) {
        field->value = take_varint(from);
        return 1;
    }
    if ((tag & 7) != 2) _exit(98);
    size_t count = take_varint(from);
    if (count > from->count) _exit(98);
    field->data = (struct view){from->data, count};
    from->data += count;
    from->count -= count;
    return 1;
}

static struct field find(struct view from, unsigned number) {
    struct field field, found = {0};
    while (take_field(&from, &field))
        if (field.number == number) found = field;
    return found;
}
