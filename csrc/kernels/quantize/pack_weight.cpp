#include "kernels/quantize/pack_weight.h"

#include <algorithm>
#include <cstring>

#include "formats/weight_format.h"
#include "formats/weight_operands.h"

// Packing runs once per weight, at the speed of memory in plain code: one tier is enough.
namespace hades {
namespace {

struct PackParams {
    WeightFormat format;
    int64_t matrices, n, k;
    bool is_gate_up;
};

// Which row of the matrix lies in a row of a tile; negative for padding.
int64_t source_row(const PackParams& p, int64_t tile, int64_t row) {
    int64_t source = tile * kTileRows + row;
    if (p.is_gate_up) {
        const int64_t pair = tile / 2 * kTileRows + row;
        source = 2 * pair + tile % 2;
    }
    return source < p.n ? source : -1;
}

// What one tile is made of: the matrix, and the rows of it.
struct Source {
    const uint8_t* values;
    const uint8_t* scales;
    int64_t value_row_bytes, scale_row_bytes;
    int64_t rows[kTileRows];

    const uint8_t* row(int r) const { return values + rows[r] * value_row_bytes; }
    const uint8_t* scale(int r) const { return scales + rows[r] * scale_row_bytes; }
};

uint8_t nibble_of(const uint8_t* row, int64_t column) {
    const uint8_t both = row[column / 2];
    return column % 2 ? both >> 4 : both & 0x0f;
}

void pack_nibbles(const Source& s, int64_t block, uint8_t padding, uint8_t* to) {
    for (int r = 0; r < kTileRows; ++r)
        for (int j = 0; j < 4; ++j)
            for (int b = 0; b < 4; ++b) {
                const int64_t column = block * kBlock + 4 * j + b;
                uint8_t both = static_cast<uint8_t>(padding << 4 | padding);
                if (s.rows[r] >= 0) {
                    const int high = nibble_of(s.row(r), column + 16) << 4;
                    both = static_cast<uint8_t>(high | nibble_of(s.row(r), column));
                }
                to[j * 64 + 4 * r + b] = both;
            }
}

void pack_bytes(const Source& s, int64_t block, uint8_t* to) {
    for (int r = 0; r < kTileRows; ++r)
        for (int g = 0; g < kBlock / 4; ++g)
            for (int b = 0; b < 4; ++b) {
                const int64_t column = block * kBlock + 4 * g + b;
                const uint8_t value = s.rows[r] >= 0 ? s.row(r)[column] : 0;
                to[g * 64 + 4 * r + b] = value ^ 0x80;
            }
}

void pack_scales(const Source& s, int64_t block, size_t bytes, uint8_t* to) {
    for (int r = 0; r < kTileRows; ++r)
        if (s.rows[r] >= 0)
            std::memcpy(to + static_cast<size_t>(r) * bytes,
                        s.scale(r) + static_cast<size_t>(block) * bytes, bytes);
        else
            std::memset(to + static_cast<size_t>(r) * bytes, 0, bytes);
}

void pack_e8m0(const Source& s, int64_t block, uint8_t* to) {
    for (int r = 0; r < kTileRows; ++r)
        to[r] = s.rows[r] >= 0 ? std::clamp(s.scale(r)[block], kLeastE8m0, kLargestE8m0) : 127;
}

template <class T>
void pack_floats(const Source& s, int64_t block, int64_t columns_together, T* to) {
    for (int64_t c = 0; c < kBlock; ++c)
        for (int r = 0; r < kTileRows; ++r) {
            T value = 0;
            if (s.rows[r] >= 0) value = reinterpret_cast<const T*>(s.row(r))[block * kBlock + c];
            to[(c / columns_together * kTileRows + r) * columns_together + c % columns_together] =
                value;
        }
}

void pack_block(WeightFormat format, const Source& s, int64_t block, uint8_t* to) {
    switch (format) {
        case WeightFormat::mxfp4:
            pack_e8m0(s, block, to);
            return pack_nibbles(s, block, 0, to + 16);
        case WeightFormat::int4_g32:
            pack_scales(s, block, 2, to);
            return pack_nibbles(s, block, kInt4Offset, to + 32);
        case WeightFormat::int8_g32:
            pack_scales(s, block, 2, to);
            return pack_bytes(s, block, to + 32);
        case WeightFormat::int8_row:
            return pack_bytes(s, block, to);
        case WeightFormat::bf16:
            return pack_floats(s, block, 2, reinterpret_cast<uint16_t*>(to));
        case WeightFormat::f32:
            return pack_floats(s, block, 1, reinterpret_cast<float*>(to));
    }
}

// Bits of a weight, and bytes of a scale, as stored.
int64_t value_bits(WeightFormat format) {
    switch (format) {
        case WeightFormat::mxfp4:
        case WeightFormat::int4_g32:
            return 4;
        case WeightFormat::bf16:
            return 16;
        case WeightFormat::f32:
            return 32;
        default:
            return 8;
    }
}

int64_t scale_row_bytes(WeightFormat format, int64_t k) {
    switch (format) {
        case WeightFormat::mxfp4:
            return k / kBlock;
        case WeightFormat::int4_g32:
        case WeightFormat::int8_g32:
            return k / kBlock * 2;
        case WeightFormat::int8_row:
            return 4;
        default:
            return 0;
    }
}

void run_pack(const void* params, void* const* operands, Worker& worker) {
    const auto& p = *static_cast<const PackParams*>(params);
    const int64_t tiles = tiles_of(p.n), bytes = tile_bytes(p.format, p.k);
    parallel_for(worker, p.matrices * tiles, [&](int64_t chunk) {
        const int64_t matrix = chunk / tiles, tile = chunk % tiles;
        Source s = {};
        s.value_row_bytes = p.k * value_bits(p.format) / 8;
        s.scale_row_bytes = scale_row_bytes(p.format, p.k);
        s.values = static_cast<const uint8_t*>(operands[0]) + matrix * p.n * s.value_row_bytes;
        s.scales = static_cast<const uint8_t*>(operands[1]) + matrix * p.n * s.scale_row_bytes;
        for (int r = 0; r < kTileRows; ++r) s.rows[r] = source_row(p, tile, r);
        uint8_t* to = static_cast<uint8_t*>(operands[2]) + chunk * bytes;
        if (p.format == WeightFormat::int8_row) pack_scales(s, 0, 4, to);
        to += tile_header_bytes(p.format);
        for (int64_t b = 0; b < p.k / kBlock; ++b, to += block_bytes(p.format))
            pack_block(p.format, s, b, to);
    });
}

bool has_elements(const Tensor& t, int64_t bytes) {
    return is_contiguous(t) && element_count(t) * static_cast<int64_t>(size_of(t.dtype)) == bytes;
}

}  // namespace

Status bind_pack_weight(const OpDesc& desc, BoundOp* bound) {
    if (desc.inputs.size() != 2 || desc.outputs.size() != 1)
        return invalid("pack_weight takes values, scales and gives packed");
    auto params = std::make_shared<PackParams>();
    PackParams& p = *params;
    const Status status = read_weight_format(desc, "format", &p.format);
    if (!status.ok) return status;
    p.matrices = desc.attributes.integer("matrices", 1);
    p.n = desc.attributes.integer("n", 0);
    p.k = desc.attributes.integer("k", 0);
    p.is_gate_up = desc.attributes.integer("gate_up", 0) != 0;
    if (p.matrices < 1 || p.n < 1 || p.k < 1 || p.k % kBlock)
        return invalid("pack_weight: %ld matrices [%ld, %ld]; k must be a multiple of 32",
                       long(p.matrices), long(p.n), long(p.k));
    if (p.is_gate_up && p.n % (2 * kTileRows))
        return invalid("pack_weight: gate and up need a multiple of 32 rows, not %ld", long(p.n));
    const int64_t rows = p.matrices * p.n, scales = scale_row_bytes(p.format, p.k);
    if (!has_elements(desc.in(0), rows * p.k * value_bits(p.format) / 8) ||
        desc.has(1) != (scales > 0) || (scales > 0 && !has_elements(desc.in(1), rows * scales)))
        return invalid("pack_weight: values and scales do not have the size of %s [%ld, %ld, %ld]",
                       name_of(p.format), long(p.matrices), long(p.n), long(p.k));
    if (!is_packed_weight(desc.out(0), p.format, p.matrices, p.n, p.k))
        return invalid("pack_weight: packed must be uint8 [%ld]",
                       long(p.matrices * packed_bytes(p.format, p.n, p.k)));
    bound->params = params;
    bound->run = run_pack;
    bound->kernel = "pack_weight";
    bound->bytes = 2.0 * static_cast<double>(element_count(desc.out(0)));
    return {};
}

}  // namespace hades
