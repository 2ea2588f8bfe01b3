/* CRC-32C (Castagnoli), as iSCSI, ext4 and btrfs have it.

   Define CRC_WORD(crc, word), which takes eight bytes on; it is undefined again. */

/* What four more bits make of it. */
static const uint32_t crc_nibbles[16] = {
    0x00000000u, 0x105ec76fu, 0x20bd8edeu, 0x30e349b1u,
    0x417b1dbcu, 0x5125dad3u, 0x61c69362u, 0x7198540du,
    0x82f63b78u, 0x92a8fc17u, 0xa24bb5a6u, 0xb21572c9u,
    0xc38d26c4u, 0xd3d3e1abu, 0xe330a81au, 0xf36e6f75u
};

static inline uint32_t crc_byte(uint32_t crc, uint8_t byte)
{
    crc ^= byte;
    crc = (crc >> 4) ^ crc_nibbles[crc & 15];
    return (crc >> 4) ^ crc_nibbles[crc & 15];
}

LS_TARGET static uint32_t crc_check(const uint8_t *at, size_t bytes)
{
    uint32_t crc = ~0u;
    for (; bytes >= sizeof(uint64_t); at += sizeof(uint64_t), bytes -= sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, at, sizeof(word));
        crc = CRC_WORD(crc, word);
    }
    for (; bytes; at++, bytes--)
        crc = crc_byte(crc, *at);
    return ~crc;
}

#undef CRC_WORD
