// Turns words and texts into subwords as labelkit does: names of special tokens in a text are ordinary text.

import { Characters } from './labelkit-words.js';

const HAN = [
  [0x4e00, 0x9fff], [0x3400, 0x4dbf], [0x20000, 0x2a6df], [0x2a700, 0x2b73f], [0x2b740, 0x2b81f], [0x2b920, 0x2ceaf],
  [0xf900, 0xfaff], [0x2f800, 0x2fa1f],
];

/** Return a tokenizer with words(words, leadingSpace), the ids of each word, and text(text), the ids of a text. */
export function makeTokenizer(transformers, json, config, settings) {
  const encode = settings.bert ? bertEncoder(json, settings) : libraryEncoder(transformers, json, config, settings);
  const known = new Map();
  const cached = (word) => {
    if (!known.has(word)) {
      if (known.size > 65536) known.clear();
      known.set(word, encode(wellFormed(word)));
    }
    return known.get(word);
  };
  return {
    words: (words, leadingSpace) => (leadingSpace ? withSpaces(words) : words).map(cached),
    text: (text) => encode(wellFormed(text)),
  };
}

const wellFormed = (text) => text.replace(/\p{Surrogate}/gu, '\ufffd');

function withSpaces(words) {
  let begun = false;
  return words.map((word) => {
    const blank = !/[^\s\x1c-\x1f\x85]/.test(word);
    const spaced = begun && !blank && !/^[\s\x1c-\x1f\x85]/.test(word) ? ` ${word}` : word;
    begun ||= !blank;
    return spaced;
  });
}

/** Return the encoder of BERT's tokenizers, whose characters labelkit has written down. */
function bertEncoder({ model }, { bert, special }) {
  const characters = new Characters({ removed: bert.removed, punctuation: bert.punctuation });
  const vocabulary = new Map(Object.entries(model.vocab));
  const unknown = vocabulary.get(model.unk_token);
  special.forEach((token) => vocabulary.delete(token));
  const longest = model.max_input_chars_per_word ?? 100;
  const marks = bert.case_marks.map(([pattern, mark]) => [new RegExp(pattern, 'gu'), mark]);
  return (text) => {
    const marked = marks.reduce((found, [pattern, mark]) => found.replace(pattern, mark), text);
    const pieces = bertPieces(marked, bert, characters);
    return pieces.flatMap((piece) => {
      const letters = [...piece];
      if (letters.length > longest) return [unknown];
      return wordPieces(letters, vocabulary, model.continuing_subword_prefix) ?? [unknown];
    });
  };
}

/** Return the normalised pieces of a text: no white space in them, and each punctuation mark alone. */
function bertPieces(text, { handle_chinese_chars: han, lowercase, strip_accents: accents }, characters) {
  const kept = (letters) => letters.filter((letter) => !characters.has('removed', letter.codePointAt(0)));
  let letters = kept([...text]);
  if (han) letters = letters.flatMap((letter) => (isHan(letter.codePointAt(0)) ? [' ', letter, ' '] : [letter]));
  if (accents ?? lowercase) letters = kept([...letters.join('').normalize('NFD')]);
  if (lowercase) letters = letters.flatMap((letter) => [...letter.toLowerCase()]);
  const pieces = [];
  let open = '';
  const close = () => {
    if (open) pieces.push(open);
    open = '';
  };
  for (const letter of letters) {
    const mark = characters.has('punctuation', letter.codePointAt(0));
    if (mark || /\s|\x85/u.test(letter)) {
      close();
      if (mark) pieces.push(letter);
    } else open += letter;
  }
  close();
  return pieces;
}

const isHan = (code) => HAN.some(([first, last]) => code >= first && code <= last);

function wordPieces(letters, vocabulary, prefix) {
  const ids = [];
  for (let start = 0; start < letters.length; ) {
    let stop = letters.length;
    const name = () => (start ? prefix : '') + letters.slice(start, stop).join('');
    while (stop > start && !vocabulary.has(name())) stop -= 1;
    if (stop === start) return null;
    ids.push(vocabulary.get(name()));
    start = stop;
  }
  return ids;
}

/** Return the encoder of transformers.js, with special tokens that no text can spell. */
function libraryEncoder({ PreTrainedTokenizer }, json, config, { special }) {
  const names = new Map(special.map((token) => [token, ` special ${token} `]));
  const rename = (piece) => names.get(piece) ?? piece;
  const model = { ...json.model };
  model.vocab = Array.isArray(model.vocab)
    ? model.vocab.map(([piece, score]) => [rename(piece), score])
    : Object.fromEntries(Object.entries(model.vocab).map(([piece, id]) => [rename(piece), id]));
  if (model.unk_token) model.unk_token = rename(model.unk_token);
  if (model.merges) {
    model.merges = model.merges.filter((merge) => {
      const pair = Array.isArray(merge) ? merge : merge.split(' ');
      return ![...pair, pair.join('')].some((piece) => names.has(piece));
    });
  }
  const added = json.added_tokens.filter((token) => !names.has(token.content));
  const named = Object.fromEntries(
    Object.entries(config).filter(([key]) => key !== 'additional_special_tokens' && key !== 'extra_special_tokens'),
  );
  const tokenizer = new PreTrainedTokenizer({ ...json, model, added_tokens: added, post_processor: null }, named);
  return (text) => (text ? tokenizer.encode(text, { add_special_tokens: false }) : []);
}
