//! Binds the Worker's WebAssembly to JavaScript: `bindgen INPUT OUTPUT` reads a compiled module and writes `index.js` and
//! `index_bg.wasm` into the folder OUTPUT, as a module of the Workers runtime imports them.
use std::env::args_os;
use std::path::PathBuf;

use anyhow::{Result, bail};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<()> {
    let paths: Vec<PathBuf> = args_os().skip(1).map(PathBuf::from).collect();
    let [input, output] = paths.as_slice() else {
        bail!("usage: bindgen INPUT OUTPUT");
    };
    Bindgen::new()
        .module(true)?
        .typescript(false)
        .out_name("index")
        // After a panic the instance can't be trusted: the entry starts a new one through these.
        .reset_state_function(true)
        .force_enable_abort_handler(true)
        .input_path(input)
        .generate(output)
}
