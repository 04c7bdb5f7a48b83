// What the file carries beside its text: the payload as JSON, and bytes written in base64.

export const payload = () => JSON.parse(document.querySelector("#payload").textContent);

// The bytes of the blob with this name.
export function blob(name) {
  const text = document.getElementById(name).textContent;
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
