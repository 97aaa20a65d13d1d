"""Defects of the room format, and the tests that notice them."""

from defect import defect

DEFECTS = [
    defect(
        "checksums of pages are ignored",
        "src/format/checksum.rs",
        "        if crc(page_seed(marker, page), bytes).to_le_bytes() != sum {",
        "        if crc(page_seed(marker, page), bytes).to_le_bytes() != sum && page > 1 << 30 {",
        "reader::damage::every_flipped_bit_is_noticed",
    ),
    defect(
        "the checksum of entries is ignored",
        "src/format/block.rs",
        "    if checksum::crc(marker as u32, meta) != header.meta_crc {",
        "    if checksum::crc(marker as u32, meta) != header.meta_crc && meta.len() > 1 << 30 {",
        "reader::damage::every_flipped_bit_is_noticed",
    ),
    defect(
        "the checksum of block headers is ignored",
        "src/format/block.rs",
        "        if checksum::crc(offset as u32, &copy) != LE::read_u32(&bytes[8..]) {",
        "        if checksum::crc(offset as u32, &copy) != LE::read_u32(&bytes[8..]) && offset > 1 << 60 {",
        "reader::damage::every_flipped_bit_is_noticed",
    ),
    defect(
        "a flipped bit of the version passes for a newer format",
        "src/format/declaration.rs",
        "        if crc(0, covered) != LE::read_u32(sum) {",
        "        if bytes[6..8] == DECLARATION[6..] && crc(0, covered) != LE::read_u32(sum) {",
        "lib::format::declaration::tests::every_flipped_bit_and_every_cut_is_noticed",
        "format::golden::every_golden_file_is_read_as_its_json_says",
    ),
    defect(
        "the trailer of a newer minor version has to be this one's",
        "src/format/trailer.rs",
        "declaration.map_or(end.starts_with(b\"BINLOG\"), |declaration| end == declaration)",
        "declaration.is_some() && end == DECLARATION",
        "format::golden::every_golden_file_is_read_as_its_json_says",
    ),
    defect(
        "a message that occurs twice in a file header replaces the first",
        "src/format/declaration.rs",
        "9 => header.predecessor.get_or_insert_default().merge(value.bytes()?)?,",
        "9 => header.predecessor.insert(Predecessor::default()).merge(value.bytes()?)?,",
        "lib::format::declaration::tests::any_bytes_are_read_as_another_implementation_of_protobuf_reads_them",
    ),
    defect(
        "a field of the number 0 is passed over",
        "src/format/protobuf.rs",
        "        Ok(small) if small >> 3 > 0 =>",
        "        Ok(small) if small > 0 =>",
        "lib::format::declaration::tests::any_bytes_are_read_as_another_implementation_of_protobuf_reads_them",
    ),
    defect(
        "a time of 0 is left out of a file header, as if it were not known",
        "src/format/declaration.rs",
        "        if let Some(latest_ns) = self.latest_ns {",
        "        if let Some(latest_ns) = self.latest_ns.filter(|&latest_ns| latest_ns != 0) {",
        "lib::format::declaration::tests::a_file_header_is_written_as_another_implementation_of_protobuf_writes_it",
    ),
    defect(
        "an index says of types no more than their names",
        "src/format/index.rs",
        "enumerate().filter(|(_, named)| named.has_details());",
        "enumerate().filter(|(_, named)| named.has_details() && named.number == 0);",
        "schemas::kept::an_index_written_anew_describes_them_too",
    ),
]
