declare module "unbzip2-stream" {
  interface Bzip2Decoder {
    on(event: "data", listener: (chunk: Uint8Array) => void): void;
    on(event: "error", listener: (error: unknown) => void): void;
    write(chunk: Uint8Array): boolean;
    end(): void;
  }
  function createDecoder(): Bzip2Decoder;
  export = createDecoder;
}
