"""Defects of the library of stores, and the tests that notice them."""

from defect import defect

DEFECTS = [
    defect(
        "a list of objects that breaks off passes for a whole one",
        "stores/src/objects/lists.rs",
        " || !text.trim_end().ends_with(\"</ListBucketResult>\")",
        "",
        "stores/lib::objects::lists::tests::objects_are_listed_page_by_page_whatever_others_have_called_theirs",
    ),
    defect(
        "a part of a token is shown",
        "stores/src/http/secrets.rs",
        "        match secrets.any(|secret| shares_a_part(&bare, &secret)) {\n",
        "        match secrets.any(|_| bare.is_empty() && shares_a_part(&bare, \"\")) {\n",
        "stores/store_hostile::no_part_of_a_token_that_is_refused_reaches_a_message",
    ),
    defect(
        "a server that cannot be trusted is asked again and again",
        "stores/src/http/refusal.rs",
        "                    inner = reason.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);",
        "                    inner = None;",
        "stores/store_double::a_server_that_speaks_another_protocol_is_no_reason_to_wait",
    ),
    defect(
        "a server may send more than it was asked for",
        "stores/src/http/bounds.rs",
        "        (Some(length), _) => length,",
        "        (Some(length), _) => length.max(2 << 30),",
        "stores/store_hostile::a_server_sends_no_more_than_it_was_asked_for",
    ),
    defect(
        "a list may be of any length",
        "stores/src/http/bounds.rs",
        "const LIST: usize = 8 << 20;",
        "const LIST: usize = 2 << 30;",
        "stores/store_hostile::lists_logins_and_refusals_have_an_end_too",
    ),
    defect(
        "a list that shows the same again goes on",
        "stores/src/pages.rs",
        "        let repeats = shown && !new;",
        "        let repeats = false;",
        "stores/store_hostile::a_list_that_shows_the_same_again_is_an_error",
    ),
    defect(
        "a message shows what a server has repeated",
        "stores/src/http/refusal.rs",
        "        let clean = |words: String| brief(&secrets.scrub(&words));",
        "        let clean = |words: String| brief(&words);",
        "stores/lib::http::refusal::tests::a_refusal_reports_what_the_server_said_in_one_bounded_line_without_secrets",
    ),
    defect(
        "a secret that comes back in another form is shown",
        "stores/src/http/secrets.rs",
        "flat_map(|secret| forms_of(secret))",
        "flat_map(|secret| vec![secret.to_owned()])",
        "stores/lib::http::secrets::tests::a_secret_of_the_credentials_is_shown_in_no_form",
    ),
    defect(
        "what is called a secret is shown",
        "stores/src/http/secrets.rs",
        "        let shown = without_named(&known);\n",
        "        let shown = known;\n",
        "stores/lib::http::secrets::tests::what_is_called_a_secret_is_not_shown_and_sentences_are",
        "stores/store_hostile::no_secret_in_a_servers_words_reaches_a_message",
    ),
]
