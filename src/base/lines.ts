import { StringDecoder } from "node:string_decoder";
import type { Bytes } from "./bytes.ts";

/** Takes the bytes of a UTF-8 text as they come, and gives back its lines. */
export interface LineSplitter {
  /** The lines that end in `chunk`. */
  take(chunk: Uint8Array): string[];
  /** What came after the last of them. */
  end(): string[];
}

/** Each line is cut after `longest` characters: memory is bound by that, and by the chunks. */
export function splitLines(longest: number): LineSplitter {
  const decoder = new StringDecoder("utf8");
  let line = "";
  return {
    take(chunk) {
      const lines = decoder
        .write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length))
        .split("\n");
      lines[0] = line + lines[0];
      line = (lines.pop() ?? "").slice(0, longest);
      return lines.map((text) =>
        (text.endsWith("\r") ? text.slice(0, -1) : text).slice(0, longest),
      );
    },
    end() {
      line = (line + decoder.end()).slice(0, longest);
      return line === "" ? [] : [line];
    },
  };
}

/** The lines of a UTF-8 text, each cut after `longest` characters: memory is bound by that. */
export async function* linesOf(source: Bytes, longest: number): AsyncGenerator<string> {
  const splitter = splitLines(longest);
  for await (const chunk of source) yield* splitter.take(chunk);
  yield* splitter.end();
}
