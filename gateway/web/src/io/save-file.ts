// Hands a file to the browser to be kept, under a name.

export function saveFile(file: Blob, name: string): void {
  const address = URL.createObjectURL(file);
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  // The browser reads it only after this turn.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
