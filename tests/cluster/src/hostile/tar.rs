//! Tars that claim to be directories, written without the code that reads them: with any listing and any header.

/// The first lines of a listing.
pub const HEAD: &str = "#mtree\n# tinytorrent-tree 1\n. type=dir\n";

/// A tar that consists of a listing with these lines after its head. Its entries have no members.
pub fn tar_of_lines(lines: &str) -> Vec<u8> {
    tar_of_listing(&[HEAD, lines].concat(), None)
}

/// A tar that consists of this listing. Its header has another length if `length` is set.
pub fn tar_of_listing(listing: &str, length: Option<u64>) -> Vec<u8> {
    let mut tar = header(".MTREE", length.unwrap_or(listing.len() as u64)).to_vec();
    tar.extend(listing.as_bytes());
    tar.resize(tar.len().next_multiple_of(512) + 1024, 0);
    tar
}

/// A ustar header of a file, as the format wants it.
pub fn header(name: &str, bytes: u64) -> [u8; 512] {
    let mut block = [0; 512];
    let mut put = |at: usize, text: &str| block[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, "0000644");
    put(108, "0000000");
    put(116, "0000000");
    put(124, &format!("{bytes:011o}"));
    put(136, "00000000000");
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\x0000");
    put(329, "0000000");
    put(337, "0000000");
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}
