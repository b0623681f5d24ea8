"""If these fail, a customer who said stop is written to again, or one who did not is silenced for good."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.insight.scores import read
from tests.cost import costs_little
from workers.insight.answers import Answer, _fold, _phrases, kind_of_answer, outrage
from workers.insight.language import detect_language
from workers.insight.tokens import sentences_of

OURS = "Re: Your offer"


def kind(text: str, subject: str = OURS) -> str:
    return kind_of_answer(text, subject, detect_language(text)).kind


@pytest.mark.parametrize(
    "text",
    [
        "Stop",
        "Hello Olive,\n\nplease stop.\n\nThanks",
        "UNSUBSCRIBE!",
        "Please unsubscribe me from this list.",
        "Could you please take us off your mailing list?",
        "Please remove my e-mail address from your database.",
        "I would like to be removed from your distribution list.",
        "Stop sending me emails.",
        "We don't want any more reminders from you.",
        "I no longer wish to receive your newsletter.",
        "Don't contact me again.",
        "Please do not write to us any more.",
        "Would you please stop writing to me? I am retired.",
        "Thanks for your time, but please leave me alone.",
        "I have unsubscribed twice already and you are still writing to me.",
        "How can I unsubscribe?",
        "How do I unsubscribe from this?",
        "Cancel my subscription to these emails.",
        "No thanks, unsubscribe",
        "No further emails, please.",
        "I hereby withdraw my consent.",
        "If you don't stop emailing me I will call my lawyer.",
        "The machine is fine. Please stop sending these follow-ups, though.",
        "Not interested. Take me off your list!",
        "I do not want to hear from you again.",
        "Please opt me out.",
        "delete my personal data immediately",
        "Unsubcribe please",
        "Do not e-mail this address again.",
        "Cease and desist from sending me unsolicited emails.",
    ],
)
def test_who_wants_no_more_mail_is_heard(text: str) -> None:
    assert kind(text) == "opt_out"


@pytest.mark.parametrize(
    "text",
    [
        "Stop by next week and I will show you the hall.",
        "The machine would not stop yesterday.",
        "Your people worked non-stop, thank you.",
        "Please stop the machine when it smells.",
        "Don't stop now, we are nearly there!",
        "Please stop sending parts to Leeds, Hull is right.",
        "Could you stop sending paper invoices?",
        "Please stop writing to my old address, the new one is below.",
        "Do not write to me until the audit is over.",
        "Please don't email me this week, I'm on holiday.",
        "Please don't call, I am in meetings. Mail is better.",
        "Why did you stop sending the newsletter?",
        "I don't want to unsubscribe, I only want fewer of them.",
        "We would like to unsubscribe from the maintenance plan.",
        "To unsubscribe from our newsletter, click here.",
        "If you no longer wish to receive these emails, please reply with STOP.",
        "Reply STOP to opt out.",
        "You can unsubscribe at any time.",
        "Does your tool let our customers unsubscribe with one click?",
        "Please take the printer off the list, we only need nine.",
        "Remove me from the project team, please, and add Ben.",
        "I was taken off the waiting list.",
        "Please take Ben Cole off your list, he has left us.",
        "Please delete my last mail, it was meant for somebody else.",
        "We unsubscribed nobody.",
        "Don't hesitate to contact me again.",
        "Never again will I order elsewhere!",
        "We do not want more reminders twice, once is enough.",
        "The last stop of line 4 is at our gate.",
        "We stopped using it in May.",
        "No more questions from my side, thank you.",
        "Don't write to this supplier again, they are closed.",
        "You never contacted me again.",
        "Nobody contacted us any more after that.",
        "No more emails have arrived since Monday, is your system down?",
        "I unsubscribed by mistake, please add me again.",
        "Не пишите мне до понедельника.",
        "请不要再发两台水泵。",
        "メールに図面を添付しました。ご確認ください。",
    ],
)
def test_who_speaks_of_stopping_something_else_is_not_silenced(text: str) -> None:
    assert kind(text) != "opt_out"


@pytest.mark.parametrize(
    ("language", "texts"),
    {
        "de": ["Bitte löschen Sie mich aus Ihrem Verteiler.", "Bitte schicken Sie mir keine E-Mails mehr.",
               "Lassen Sie mich in Ruhe.", "Hören Sie auf mir zu schreiben.",
               "Ich möchte nicht mehr kontaktiert werden.", "Bitte entfernen Sie meine Daten aus Ihrer Datenbank.",
               "ABMELDEN", "Löschen Sie meine Daten umgehend gemäß DSGVO."],
        "fr": ["Je ne veux plus recevoir de messages de votre part.", "Désinscrivez-moi, merci.",
               "Merci de m'enlever de votre liste d'envoi.", "Cessez de nous contacter.", "Désabonnement"],
        "es": ["No quiero recibir más mensajes.", "Sáquenme de la lista, por favor.", "Dejen de escribirme.",
               "Solicito que eliminen mis datos.", "Por favor, no me contacten más."],
        "nl": ["Ik wil mij graag uitschrijven.", "Stuur mij geen e-mails meer.",
               "Wilt u mij van de mailinglijst halen?", "Wij willen geen reclame meer ontvangen.", "Uitschrijven",
               "Gelieve mij niet meer te mailen."],
        "it": ["Non inviatemi più email.", "Cancellatemi dalla lista, grazie.", "Smettetela di scrivermi.",
               "Non vogliamo più ricevere la newsletter."],
        "pt": ["Não desejo receber mais mensagens."], "sv": ["Sluta mejla mig."], "da": ["Kontakt mig ikke igen."],
        "no": ["Slutt å sende e-post til meg."], "pl": ["Proszę wypisać mnie z listy."],
        "ru": ["Отпишите меня, пожалуйста.", "Не пишите мне больше.", "Удалите мой адрес из рассылки."],
        "zh": ["请不要再给我发邮件。", "退订", "請把我從名單中刪除，不想再收到郵件。"],
        "ja": ["メールを送らないでください。", "配信停止をお願いします。", "リストから削除してください。"],
        "ko": ["수신거부", "더 이상 메일을 보내지 마세요."],
        "tr": ["Lütfen beni listeden çıkarın.", "Artık e-posta almak istemiyorum."],
    }.items(),
)  # fmt: skip
def test_stop_is_understood_in_other_languages(language: str, texts: list[str]) -> None:
    assert [text for text in texts if kind(text) != "opt_out"] == []


@pytest.mark.parametrize(
    "footer",
    [
        "Want to change how you receive these emails? You can update your preferences or unsubscribe from this list.",
        "unsubscribe from this list | update subscription preferences | view in your browser",
        "Unsubscribe",
        "Don't want to receive these emails any more? Unsubscribe.",
        "If you'd rather not receive our newsletter, just let us know.",
        "You are receiving this mail because you signed up. Opt out.",
        "Newsletter abbestellen",
        "Sie möchten keine weiteren E-Mails erhalten? Abmelden",
        "Wenn Sie keine E-Mails mehr erhalten möchten, klicken Sie hier.",
        "Vous ne souhaitez plus recevoir nos e-mails ? Désabonnez-vous.",
        "Se désinscrire",
        "Si no desea recibir más correos, haga clic aquí.",
        "Wilt u geen e-mails meer ontvangen? Klik hier.",
        "Se non desidera più ricevere le nostre email, clicchi qui.",
    ],
)
def test_the_footer_of_a_newsletter_that_a_customer_sends_silences_nobody(footer: str) -> None:
    text = f"Dear friends,\n\nour new catalogue is out, and the spring offers start on Monday.\n\n{footer}\n"
    assert kind(text, "News from Acme") != "opt_out"


@pytest.mark.parametrize(
    "text",
    [
        "Bitte nehmen Sie uns nicht aus dem Verteiler!",
        "Schreiben Sie mir bitte nicht vor Montag.",
        "Die Maschine stoppt ständig.",
        "Bitte streichen Sie die dritte Zeile von der Liste.",
        "Bitte löschen Sie meine alte Bestellung.",
        "Hören Sie auf den Ton beim Einschalten.",
        "Merci de retirer l'article 5 de la liste.",
        "Ne me contactez pas avant mardi.",
        "Le camion s'est arrêté devant la porte.",
        "Quiten el tercer artículo de la lista.",
        "No me escriban hasta el lunes.",
        "Den de baja la línea de teléfono.",
        "Haal de tweede regel van de lijst.",
        "Stuur mij geen factuur meer op papier.",
        "Togliete la terza voce dalla lista.",
        "Non scrivetemi prima di venerdì.",
    ],
)
def test_harmless_words_of_other_languages_silence_nobody(text: str) -> None:
    assert kind(text) != "opt_out"


@pytest.mark.parametrize(
    ("expected", "texts"),
    {
        "refusal": [
            "Thank you, but we're not interested.", "No, thank you.", "We went with another supplier in the end.",
            "We have already bought it elsewhere.", "I'm afraid we have to decline.", "We decided against it.",
            "We won't be going ahead with this.", "The project was cancelled in January.", "We no longer need it.",
            "Your proposal was not accepted.", "Wir haben daran kein Interesse.", "Wir haben anderweitig bestellt.",
            "Nous ne sommes plus intéressés.", "Nous avons commandé ailleurs.", "No nos interesa por ahora.",
            "Lo compramos en otro sitio.", "Wij zijn niet meer geïnteresseerd.", "Wij kiezen voor een andere partij.",
            "Non siamo più interessati.", "Abbiamo comprato altrove.", "We went with Globex instead.",
            "Leider müssen wir absagen.", "Wir haben uns anders entschieden.", "Nous devons décliner votre offre.",
            "Das ist uns zu teuer, wir verzichten.", "I'm afraid you were not selected.",
        ],
        "acceptance": [
            "We accept the offer.", "Please go ahead.", "Yes, please proceed with the order.",
            "Our purchase order 4711 is attached.", "Let's do this.", "You have the order!", "I'll take it.",
            "Find the signed quote attached.", "Approved", "We would like to place an order.",
            "Wir nehmen das Angebot gerne an.", "Anbei die Bestellung.", "Nous acceptons le devis.",
            "Ci-joint le bon de commande.", "Aceptamos la oferta.", "Les adjunto el pedido.",
            "Wij gaan akkoord met het voorstel.", "In de bijlage vindt u onze bestelling.",
            "Accettiamo l'offerta.", "Allego l'ordine.", "Nous passons commande.", "We would like to order it.",
            "Management gave it the green light.", "You've got the job.",
        ],
        "question": [
            "Is it in stock?", "Could you send me the drawings", "Please let me know when you can come.",
            "Thanks for the offer. What would twenty cost?",
        ],
        "other": [
            "Thanks, I'll look at it.", "We would accept if the price were lower.",
            "We have to decline the first offer. Please go ahead with the second.",
            "I cannot go ahead without the boss.", "Please go ahead and cancel the order.", "The PO will follow.",
            "We bought elsewhere last year, now we'd rather have yours.", "👍", "9/10", "It works well.",
            "We would like to order, but not before May.", "We went with you instead.", "You haven't got the job yet.",
            "We do not accept deliveries after four.", "Sorry for the late reply, I was ill.",
        ],
        "unreadable": [
            "", "Vielen Dank, ich melde mich.", "Wir haben uns noch nicht anders entschieden.",
            "Wir müssen den Termin absagen.", "Tout va bien.", "Estamos en ello.", "Dat klopt.", "Va tutto bene.",
            "Wszystko w porządku.", "お世話になっております。",
        ],
    }.items(),
)  # fmt: skip
def test_an_answer_is_what_it_says(expected: str, texts: list[str]) -> None:
    assert {text: kind(text) for text in texts if kind(text) != expected} == {}


def test_a_fresh_subject_speaks_and_a_repeated_one_does_not() -> None:
    assert kind("", "Unsubscribe") == "opt_out"
    assert kind("See below.", "Please remove me from your mailing list") == "opt_out"
    assert kind("", "Purchase order 4711") == "acceptance"
    for subject in ("Re: Unsubscribe", "AW: Abmelden", "Accepted: Site visit", "RE[2]: stop"):
        assert kind("Thanks, all fine.", subject) == "other", subject


def test_the_evidence_is_what_was_written() -> None:
    text = "Thank you. But PLEASE stop writing to me!\nAnn"
    assert kind_of_answer(text, OURS, "en") == Answer("opt_out", "But PLEASE stop writing to me!")


@pytest.mark.parametrize(
    "text",
    [
        "Eine Katastrophe, alles ist kaputt.", "Wir sind sehr enttäuscht.", "Unverschämt!",
        "C'est inadmissible.", "Nous sommes très mécontents.", "Quelle honte !",
        "¡Qué vergüenza!", "Estamos muy descontentos.", "Un servicio pésimo.",
        "Wat een waardeloos bedrijf.", "Wij zijn zeer ontevreden.", "Schandalig!",
        "Che vergogna!", "Siamo molto delusi.", "Un servizio pessimo.",
    ],
)  # fmt: skip
def test_outrage_is_heard_in_languages_that_are_not_read(text: str) -> None:
    assert outrage(text, detect_language(text))


@pytest.mark.parametrize(
    "text",
    [
        "Alles gut, danke.", "Das war keine Katastrophe.", "Wir sind nicht enttäuscht.", "Die Rechnung fehlt noch.",
        "Très bon travail.", "Ce n'est pas mauvais.", "Désolé pour le retard.", "Muy buenas tardes.", "No está mal.",
        "Niet slecht gedaan.", "Ik bel u later.", "Niente male, grazie.", "Scusate il ritardo.",
    ],
)  # fmt: skip
def test_the_content_are_not_called_outraged(text: str) -> None:
    assert outrage(text, detect_language(text)) is None


def test_no_shortcut_hides_an_answer() -> None:
    texts = [case["text"] for name in ("answers", "answers_second") for case in read(name)]
    for sentence in {_fold(sentence) for text in texts for sentence in sentences_of(text)}:
        for groups in _phrases().groups.values():
            for language, group in groups.items():
                said = {number for number, phrase in enumerate(group.phrases) if phrase.search(sentence)}
                assert said <= set(group.needs.possible(sentence)), (language, sentence)


@given(st.text(max_size=3_000), st.text(max_size=200), st.sampled_from(["en", "de", "fr", "xx", "und", "zxx"]))
def test_any_text_gets_the_same_answer_twice(text: str, subject: str, language: str) -> None:
    answer = kind_of_answer(text, subject, language)
    assert answer == kind_of_answer(text, subject, language)
    assert (answer.evidence is None) == (answer.kind in {"other", "unreadable"})
    outrage(text, language)


@pytest.mark.parametrize(
    "piece", ["stop ", "no more ", "do not want to receive any ", "keine ", "ne plus ", " ", "\n", "?", "é"]
)
def test_a_huge_hostile_text_costs_little(piece: str) -> None:
    huge = piece * (100_000 // len(piece))
    assert costs_little(lambda: kind_of_answer(huge, huge, "und"))
    assert costs_little(lambda: outrage(huge, "und"))
