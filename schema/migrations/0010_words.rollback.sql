DROP TABLE crm_words;
DROP FUNCTION is_closed_stage(anyelement);
DROP FUNCTION shipped_meaning(text, anyelement);
DROP FUNCTION folded_word(text);
